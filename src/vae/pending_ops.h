#pragma once
#include "gpuvae/ops.h"
#include "kernels/check.h"
namespace gpuvae {
inline Variable bernoulli_log_density(const Variable& l, const Variable& x) {
  return sum_columns(subtract(multiply(l, x), activate(l, Activation::softplus)));
}
inline Variable gaussian_log_density(const Variable& params, const Variable& target, const GaussianOptions& options) {
  const std::int64_t width = params.shape()[1] / 2;
  Variable mean = columns(params, 0, width);
  if (options.sigmoid_mean) mean = activate(mean, Activation::sigmoid);
  const Variable v = clamp(columns(params, width, width), options.low, options.high);
  const Variable squares = multiply(square(subtract(mean, target)), exp(affine(v, -1, 0)));
  return sum_columns(affine(add(squares, v), -0.5, -0.918938533204672742));
}
inline Variable continuous_bernoulli_log_density(const Variable& l, const Variable& x) { return bernoulli_log_density(l, x); }
inline Variable mixture_log_density(const Variable& z, const Variable&, PosteriorScale, const Variable&) { return sum_columns(z); }
inline Tensor repeat_rows(const Tensor& x, std::int64_t n) {
  Tensor out = Tensor::empty({x.shape()[0] * n, x.shape()[1]}, x.dtype(), x.device());
  for (std::int64_t i = 0; i < out.shape()[0]; ++i) out.slice(i, 1).copy_from(x.slice(i / n, 1));
  return out;
}
}  // namespace gpuvae
