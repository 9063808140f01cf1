// The log density of a mixture of diagonal Gaussians. The forward pass is one kernel; the backward pass
// recomputes the responsibilities instead of storing them.
#include <algorithm>
#include <cmath>
#include <span>

#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

constexpr const char* kName = "mixture_log_density";

struct Extents {
  std::int64_t rows, latent, components;
};

// Checks that left_out names components. A GPU would have to be waited for, so that its values are not
// checked.
void check_numbers(const Tensor& left_out, std::int64_t components) {
  if (!left_out.device().is_cpu()) return;
  const std::span numbers(left_out.data_as<std::int32_t>(), static_cast<std::size_t>(left_out.elements()));
  const auto bad = std::ranges::find_if(numbers, [&](std::int32_t k) { return k >= components; });
  check(bad == numbers.end(), kName,
        "expected components from 0 to {} or negative numbers in left_out, got {} in row {}", components - 1,
        bad == numbers.end() ? 0 : *bad, bad - numbers.begin());
}

Extents check_mixture(const Variable& z, const Variable& component_params, PosteriorScale scale,
                      const Variable& log_weights, const Tensor& left_out) {
  check_enumerator(kName, "scale", scale);
  check_defined(kName, z, "z");
  check_defined(kName, component_params, "component_params");
  check_real(kName, z);
  check_like(kName, component_params, z);
  check(z.shape().rank() == 2, kName, "expected z of [rows, latent], got {}", z.shape());
  const std::int64_t latent = z.shape()[1];
  check(latent > 0, kName, "expected z of at least one column, got {}", z.shape());
  check(component_params.shape().rank() == 2 && component_params.shape()[0] > 0 &&
            component_params.shape()[1] == 2 * latent,
        kName, "expected component_params of [components, {}] (mean, then scale parameter) for z {}, got {}",
        2 * latent, z.shape(), component_params.shape());
  const std::int64_t components = component_params.shape()[0];
  if (log_weights) {
    check_like(kName, log_weights, z);
    check(log_weights.shape() == Shape{components}, kName, "expected log_weights of [{}], got {}", components,
          log_weights.shape());
  }
  if (left_out) {
    check(left_out.dtype() == DType::i32 && left_out.device() == z.device() &&
              left_out.shape() == Shape{z.shape()[0]},
          kName, "expected left_out of i32 [{}] on {}, got {}", z.shape()[0], z.device(), left_out);
    check(!log_weights && components > 1, kName,
          "expected equal weights and 2 or more components for left_out, got {} components{}", components,
          log_weights ? " with weights" : "");
    check_numbers(left_out, components);
  }
  return {z.shape()[0], latent, components};
}

}  // namespace

Variable mixture_log_density(const Variable& z, const Variable& component_params, PosteriorScale scale,
                             const Variable& log_weights, const Tensor& left_out) {
  const auto [rows, latent, components] = check_mixture(z, component_params, scale, log_weights, left_out);
  Tensor out = Tensor::empty({rows, 1}, z.dtype(), z.device());
  const Tensor workspace =
      Tensor::empty({2 * latent + 1, kernels::mixture_stride(components)}, z.dtype(), z.device());
  kernels::MixtureArgs args{.dtype = z.dtype(), .scale = scale, .rows = rows, .latent = latent};
  args.components = components;
  args.z = z.value().data();
  args.component_params = component_params.value().data();
  args.log_weights = log_weights ? log_weights.value().data() : nullptr;
  args.left_out = left_out ? left_out.data_as<std::int32_t>() : nullptr;
  args.workspace = workspace.data();
  args.out = out.data();
  backend(out).mixture(args, stream(out));
  // The lambda captures all tensors to which `args` points, so that their memory is kept.
  return record(kName, {&z, &component_params, &log_weights}, out,
                [=, kept_left_out = Saved(kName, left_out), kept_out = Saved(kName, out),
                 kept_z = Saved(kName, z.value()), kept_params = Saved(kName, component_params.value()),
                 kept_log_weights =
                     log_weights ? Saved(kName, log_weights.value()) : Saved()](BackwardContext& context) {
                  kept_out.get();
                  kept_left_out.get();
                  const Tensor &z = kept_z.get(), &component_params = kept_params.get(),
                               &log_weights = kept_log_weights.get();
                  const Tensor d_out = context.gradient_tensor();
                  kernels::MixtureBackwardArgs back{.forward = args, .d_out = d_out.data()};
                  Tensor d_z, d_component_params, d_log_weights;
                  if (context.needs(0)) {
                    d_z = empty_like(z);
                    back.d_z = d_z.data();
                  }
                  if (context.needs(1)) {
                    d_component_params = empty_like(component_params);
                    back.d_component_params = d_component_params.data();
                  }
                  if (context.needs(2)) {
                    d_log_weights = empty_like(log_weights);
                    back.d_log_weights = d_log_weights.data();
                  }
                  backend(workspace).mixture_backward(back, stream(workspace));
                  if (d_z) context.add(0, std::move(d_z));
                  if (d_component_params) context.add(1, std::move(d_component_params));
                  if (d_log_weights) context.add(2, std::move(d_log_weights));
                });
}

namespace unfused {

// Computes the log density of one component at a time.
Variable mixture_log_density(const Variable& z, const Variable& component_params, PosteriorScale scale,
                             const Variable& log_weights, const Tensor& left_out) {
  const auto [rows, latent, components] = check_mixture(z, component_params, scale, log_weights, left_out);
  const std::vector<double> numbers = left_out ? left_out.to_doubles() : std::vector<double>();
  constexpr double kLogTwoPi = 1.83787706640934548356;
  const Variable flat = reshape(component_params, {1, components * 2 * latent});
  const Variable weights = log_weights ? reshape(log_weights, {1, components}) : Variable();
  std::vector<Variable> terms;
  for (std::int64_t k = 0; k < components; ++k) {
    const Variable mean = columns(flat, k * 2 * latent, latent);
    const Variable log_sigma = log_sigma_of(columns(flat, k * 2 * latent + latent, latent), scale);
    const Variable squares = square((z - mean) * inverse_sigma(log_sigma));
    Variable term = affine(sum(squares, Axis::columns), -0.5, -0.5 * kLogTwoPi * static_cast<double>(latent));
    term = term - sum(log_sigma);
    terms.push_back(weights ? term + columns(weights, k, 1)
                            : term - std::log(static_cast<double>(components)));
  }
  Variable all = concat(terms, Axis::columns);
  if (!left_out) return log_sum_exp(all, Axis::columns);
  // Adds minus infinity to the terms that are left out.
  std::vector<double> mask(static_cast<std::size_t>(rows * components), 0.0), shift;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto number = static_cast<std::int64_t>(numbers[static_cast<std::size_t>(r)]);
    if (number >= 0 && number < components)
      mask[static_cast<std::size_t>(r * components + number)] = -INFINITY;
    shift.push_back(number >= 0 ? std::log1p(1 / static_cast<double>(components - 1)) : 0);
  }
  const auto constant = [&](const std::vector<double>& values, Shape shape) {
    return Tensor::from(values, shape).to(z.dtype()).to(z.device());
  };
  all = all + constant(mask, {rows, components});
  return log_sum_exp(all, Axis::columns) + constant(shift, {rows, 1});
}

}  // namespace unfused
}  // namespace gpuvae
