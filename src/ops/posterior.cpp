// Reparameterised sampling from the diagonal Gaussian posterior, and its KL divergence, alone or in one pass.
#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

std::int64_t latent_of(const char* name, const Variable& stats) {
  check_defined(name, stats, "stats");
  check(stats.shape().rank() == 2 && stats.shape()[1] % 2 == 0, name,
        "expected stats of [rows, 2 latent] (mean, then scale parameter), got {}", stats.shape());
  return stats.shape()[1] / 2;
}

void check_options(const char* name, const Variable& stats, const PosteriorOptions& o) {
  const std::int64_t rows = stats.shape()[0], latent = stats.shape()[1] / 2;
  check(o.noise_std >= 0, name, "expected a noise_std of 0 or more, got {}", o.noise_std);
  if (o.epsilon) {
    check_like(name, o.epsilon, stats);
    check(o.epsilon.shape() == Shape({rows, latent}), name, "expected epsilon of [{}, {}], got {}", rows,
          latent, o.epsilon.shape());
  }
  if (o.samples)
    check(o.samples.dtype() == DType::i32 && o.samples.elements() == rows &&
              o.samples.device() == stats.device(),
          name, "expected samples of i32[{}] on {}, got {}", rows, stats.device(), o.samples);
}

struct Wanted {
  bool z, kl;
};

PosteriorSample run(const char* name, const Variable& stats, const PosteriorOptions& options, double weight,
                    Wanted wanted) {
  const std::int64_t latent = latent_of(name, stats);
  check_options(name, stats, options);
  const Tensor& x = stats.value();
  kernels::PosteriorArgs args{
      .dtype = x.dtype(), .scale = options.scale, .rows = x.shape()[0], .latent = latent};
  args.noise_std = options.noise_std, args.kl_weight = weight;
  args.noise = options.noise;
  if (options.samples) args.noise.samples = options.samples.data_as<std::int32_t>();
  args.epsilon = options.epsilon ? options.epsilon.data() : nullptr;
  args.stats = x.data();
  Tensor z, kl;
  if (wanted.z) z = Tensor::empty({args.rows, latent}, x.dtype(), x.device()), args.z = z.data();
  if (wanted.kl) kl = scalar_like(x), args.kl = kl.data();
  backend(x).posterior(args, stream(x));
  if (!GraphAccess::needs_gradient({&stats}))
    return {z ? Variable(z) : Variable(), kl ? Variable(kl) : Variable()};

  auto node = GraphAccess::make_node(name, {&stats});
  PosteriorSample result;
  if (wanted.z) result.z = GraphAccess::output(node, z);
  if (wanted.kl) result.kl = GraphAccess::output(node, kl);
  node->backward = [=, kept = Saved(name, x), epsilon = Saved(name, options.epsilon),
                    samples = Saved(name, options.samples)](BackwardContext& context) {
    const Tensor& x = kept.get();
    epsilon.get();
    samples.get();
    kernels::PosteriorBackwardArgs back{.forward = args};
    Tensor d_z;
    if (wanted.z && context.gradient(0).kind != Gradient::Kind::none)
      d_z = context.gradient_tensor(0), back.d_z = d_z.data();
    if (wanted.kl) {
      const Gradient& g = context.gradient(wanted.z ? 1 : 0);
      back.d_kl = g.kind == Gradient::Kind::tensor ? 1 : g.constant;
      if (g.kind == Gradient::Kind::tensor) back.device_d_kl = g.tensor.data();
    }
    Tensor d_stats = empty_like(x);
    back.d_stats = d_stats.data();
    backend(x).posterior_backward(back, stream(x));
    context.add(0, std::move(d_stats));
  };
  return result;
}

}  // namespace

Variable sample_posterior(const Variable& stats, const PosteriorOptions& options) {
  return run("sample_posterior", stats, options, 1, {true, false}).z;
}
Variable kl_divergence(const Variable& stats, PosteriorScale scale, double weight) {
  PosteriorOptions options;
  options.scale = scale;
  return run("kl_divergence", stats, options, weight, {false, true}).kl;
}
PosteriorSample sample_posterior_with_kl(const Variable& stats, const PosteriorOptions& options,
                                         double weight) {
  return run("sample_posterior_with_kl", stats, options, weight, {true, true});
}

namespace composed {

Variable sample_posterior(const Variable& stats, const PosteriorOptions& options) {
  const std::int64_t latent = latent_of("sample_posterior", stats);
  check_options("sample_posterior", stats, options);
  Noise noise = options.noise;
  if (options.samples) noise.samples = options.samples.data_as<std::int32_t>();
  const Tensor epsilon =
      options.epsilon ? options.epsilon
                      : random_normal({stats.shape()[0], latent}, noise, 0, 1, stats.dtype(), stats.device());
  const Variable sigma = sigma_of(columns(stats, latent, latent), options.scale);
  return columns(stats, 0, latent) + options.noise_std * sigma * epsilon;
}

Variable kl_divergence(const Variable& stats, PosteriorScale scale, double weight) {
  const std::int64_t latent = latent_of("kl_divergence", stats);
  const Variable mean = columns(stats, 0, latent), sigma = sigma_of(columns(stats, latent, latent), scale);
  const Variable squares = affine(square(sigma) + square(mean), 0.5, -0.5);
  return weight * sum(squares - log(sigma));
}

PosteriorSample sample_posterior_with_kl(const Variable& stats, const PosteriorOptions& options,
                                         double weight) {
  return {composed::sample_posterior(stats, options), composed::kl_divergence(stats, options.scale, weight)};
}

}  // namespace composed
}  // namespace gpuvae
