// The log density of a mixture of diagonal Gaussians: one pass forward, responsibilities again backward.
#include <cmath>

#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

constexpr const char* kName = "mixture_log_density";

struct Extents {
  std::int64_t rows, latent, components;
};

Extents check_mixture(const Variable& z, const Variable& stats, const Variable& log_weights) {
  check_defined(kName, z, "z");
  check_defined(kName, stats, "stats");
  check_like(kName, stats, z);
  check(z.shape().rank() == 2, kName, "expected z of [rows, latent], got {}", z.shape());
  const std::int64_t latent = z.shape()[1];
  check(stats.shape().rank() == 2 && stats.shape()[0] > 0 && stats.shape()[1] == 2 * latent, kName,
        "expected stats of [components, {}] (mean, then scale parameter) for z {}, got {}", 2 * latent,
        z.shape(), stats.shape());
  const std::int64_t components = stats.shape()[0];
  if (log_weights) {
    check_like(kName, log_weights, z);
    check(log_weights.shape() == Shape{components}, kName, "expected log_weights of [{}], got {}", components,
          log_weights.shape());
  }
  return {z.shape()[0], latent, components};
}

}  // namespace

Variable mixture_log_density(const Variable& z, const Variable& stats, PosteriorScale scale,
                             const Variable& log_weights) {
  const auto [rows, latent, components] = check_mixture(z, stats, log_weights);
  Tensor out = Tensor::empty({rows, 1}, z.dtype(), z.device());
  const Tensor workspace =
      Tensor::empty({2 * latent + 1, kernels::mixture_stride(components)}, z.dtype(), z.device());
  kernels::MixtureArgs args{.dtype = z.dtype(), .scale = scale, .rows = rows, .latent = latent};
  args.components = components;
  args.z = z.value().data(), args.stats = stats.value().data();
  args.log_weights = log_weights ? log_weights.value().data() : nullptr;
  args.workspace = workspace.data(), args.out = out.data();
  backend(out).mixture(args, stream(out));
  // The tensors are named to keep what args points at.
  return record(kName, {&z, &stats, &log_weights}, out,
                [=, kept_out = Saved(kName, out), kept_z = Saved(kName, z.value()),
                 kept_stats = Saved(kName, stats.value()),
                 kept_log_weights =
                     log_weights ? Saved(kName, log_weights.value()) : Saved()](BackwardContext& context) {
                  kept_out.get();
                  const Tensor &z = kept_z.get(), &stats = kept_stats.get(),
                               &log_weights = kept_log_weights.get();
                  const Tensor d_out = context.gradient_tensor();
                  kernels::MixtureBackwardArgs back{.forward = args, .d_out = d_out.data()};
                  Tensor d_z, d_stats, d_log_weights;
                  if (context.needs(0)) d_z = empty_like(z), back.d_z = d_z.data();
                  if (context.needs(1)) d_stats = empty_like(stats), back.d_stats = d_stats.data();
                  if (context.needs(2))
                    d_log_weights = empty_like(log_weights), back.d_log_weights = d_log_weights.data();
                  backend(workspace).mixture_backward(back, stream(workspace));
                  if (d_z) context.add(0, std::move(d_z));
                  if (d_stats) context.add(1, std::move(d_stats));
                  if (d_log_weights) context.add(2, std::move(d_log_weights));
                });
}

namespace composed {

// A component at a time; for densities whose exponential neither overflows nor vanishes.
Variable mixture_log_density(const Variable& z, const Variable& stats, PosteriorScale scale,
                             const Variable& log_weights) {
  const auto [rows, latent, components] = check_mixture(z, stats, log_weights);
  constexpr double kLogTwoPi = 1.83787706640934548356;
  const Variable flat = reshape(stats, {1, components * 2 * latent});
  const Variable weights = log_weights ? reshape(log_weights, {1, components}) : Variable();
  Variable total;
  for (std::int64_t k = 0; k < components; ++k) {
    const Variable mean = columns(flat, k * 2 * latent, latent);
    const Variable sigma = sigma_of(columns(flat, k * 2 * latent + latent, latent), scale);
    const Variable squares = square((z - mean) / sigma);
    Variable term = affine(sum(squares, Axis::columns), -0.5, -0.5 * kLogTwoPi * static_cast<double>(latent));
    term = term - sum(log(sigma));
    term = weights ? term + columns(weights, k, 1) : term - std::log(static_cast<double>(components));
    total = total ? total + exp(term) : exp(term);
  }
  return log(total);
}

}  // namespace composed
}  // namespace gpuvae
