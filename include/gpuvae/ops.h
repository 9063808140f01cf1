// Differentiable operations. A matrix is [rows, columns]; an operation on more dimensions treats all but the
// last as rows. All inputs share one device and one dtype: f32, or f64 on the CPU. Errors: gpuvae::Error.
#pragma once

#include <initializer_list>
#include <span>

#include "gpuvae/autograd.h"
#include "gpuvae/random.h"

namespace gpuvae {

// ---- operators: formulas read as they are written ----

// Element by element. The shape of the result is that of the operand with more elements; the other one has
// the same shape or is repeated along it: a row [columns] or [1, columns], a column [rows, 1], or a single
// element. Both have one dtype and one device. A Tensor converts to a constant; `tensor - variable` and
// `tensor * 2` are variables too.
[[nodiscard]] Variable operator+(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator*(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator/(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& x);
// A number has the variable's dtype and stands for a tensor of its shape. Dividing by a number multiplies by
// its inverse.
[[nodiscard]] Variable operator+(const Variable& a, double b);
[[nodiscard]] Variable operator+(double a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& a, double b);
[[nodiscard]] Variable operator-(double a, const Variable& b);
[[nodiscard]] Variable operator*(const Variable& a, double b);
[[nodiscard]] Variable operator*(double a, const Variable& b);
[[nodiscard]] Variable operator/(const Variable& a, double b);
[[nodiscard]] Variable operator/(double a, const Variable& b);

// The same by name.
[[nodiscard]] Variable add(const Variable& a, const Variable& b);
[[nodiscard]] Variable subtract(const Variable& a, const Variable& b);
[[nodiscard]] Variable multiply(const Variable& a, const Variable& b);
[[nodiscard]] Variable divide(const Variable& a, const Variable& b);

// ---- functions of each element: the result has the shape of x ----

// scale x + shift, rounded once.
[[nodiscard]] Variable affine(const Variable& x, double scale, double shift);
[[nodiscard]] Variable exp(const Variable& x);
[[nodiscard]] Variable log(const Variable& x);
[[nodiscard]] Variable sqrt(const Variable& x);
[[nodiscard]] Variable square(const Variable& x);
[[nodiscard]] Variable reciprocal(const Variable& x);
[[nodiscard]] Variable abs(const Variable& x);                             // slope 0 at 0
[[nodiscard]] Variable clamp(const Variable& x, double low, double high);  // slope 0 where clamped
[[nodiscard]] Variable activate(const Variable& x, Activation activation);
// log Gamma(x) for x > 0 (Abramowitz and Stegun, 1964, 6.1.33 and 6.1.41) and its derivative, digamma.
// Relative errors are below 2e-6 (f32) and 1e-14 (f64) for x in [1e-3, 1e5], the roots included. At 0 they
// are inf and -inf; below 0, NaN. Digamma is differentiable in turn.
[[nodiscard]] Variable lgamma(const Variable& x);
[[nodiscard]] Variable digamma(const Variable& x);
// The continuous Bernoulli distribution p(x) = exp(l x - A(l)) on [0, 1] with logit l (Loaiza-Ganem and
// Cunningham, 2019): A(l) = log((exp(l) - 1) / l), that is softplus(l) - log C(l) in their terms, and its
// derivative, the mean.
[[nodiscard]] Variable continuous_bernoulli_log_normalizer(const Variable& logits);
[[nodiscard]] Variable continuous_bernoulli_mean(const Variable& logits);

// ---- along an axis: Axis::all yields [1], Axis::rows [columns], Axis::columns [rows, 1] ----

[[nodiscard]] Variable sum(const Variable& x, Axis axis = Axis::all);
// Error if there is no element to average.
[[nodiscard]] Variable mean(const Variable& x, Axis axis = Axis::all);
// log of the sum of exp(x), without overflow: the largest element is subtracted before the exponential and
// added to the logarithm. Elements of -inf count nothing. Where all are -inf the value is -inf and the
// gradient 0.
[[nodiscard]] Variable log_sum_exp(const Variable& x, Axis axis);
// exp(x - log_sum_exp(x, axis)), with the shape of x, and as stable. Where all elements are -inf, it is 0
// with gradient 0; where one is +inf, NaN.
[[nodiscard]] Variable softmax(const Variable& x, Axis axis);

// ---- shape ----

[[nodiscard]] Variable reshape(const Variable& x, Shape shape);  // as many elements, in the same order
[[nodiscard]] Variable transpose(const Variable& x);  // [rows, columns] to [columns, rows]; 2 dimensions only
// Columns first ... first + count - 1: [rows, columns] to [rows, count]. Error if x has fewer.
[[nodiscard]] Variable columns(const Variable& x, std::int64_t first, std::int64_t count);
// One matrix of several, which share dtype and device: below each other for Axis::rows (parts have equally
// many columns), side by side for Axis::columns (parts have equally many rows). At least one part.
[[nodiscard]] Variable concat(std::span<const Variable> parts, Axis axis);
[[nodiscard]] Variable concat(std::initializer_list<Variable> parts, Axis axis);

// op(a) op(b), where op transposes on request. [m, k] [k, n] to [m, n].
[[nodiscard]] Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false,
                              bool transpose_b = false);

// ---- fused; gpuvae::unfused has an implementation of the same name for each ----

// activation(x weight^T + bias): x [rows, in], weight [out, in], bias [out] or undefined; [rows, out]. The
// precision is that of the product and of its two gradients. The CPU may skip x's zeros: 0 * NaN is 0 then.
[[nodiscard]] Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                              Activation activation = Activation::identity,
                              Precision precision = Precision::f32);

// How a posterior's parameters are read and its noise drawn.
struct PosteriorOptions {
  PosteriorScale scale = PosteriorScale::log_variance;
  double noise_std = 1;  // standard deviation of epsilon
  Noise noise = {};      // which epsilon is drawn, inside the kernel
  Tensor epsilon = {};   // [rows, latent]: used instead of drawn noise; or undefined
};
struct PosteriorSample {
  Variable z;   // [rows, latent]
  Variable kl;  // [1]
};
// `posterior_params` is [rows, 2 latent]: the mean, then the scale parameter. z = mean + noise_std epsilon
// sigma (Kingma and Welling, 2013, section 2.4). Here and below, a value that overflows is infinite, and the
// gradient of a finite value is finite, whatever the scale parameter.
[[nodiscard]] Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options);
// weight times the sum over rows and dimensions of KL(N(mean, sigma^2) || N(0, 1)), nats (ibid., appendix B).
[[nodiscard]] Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale,
                                     double weight = 1);
// Both in one pass.
[[nodiscard]] PosteriorSample sample_posterior_with_kl(const Variable& posterior_params,
                                                       const PosteriorOptions& options, double weight = 1);

// weight times the sum over all elements of -log Bernoulli(target | p), nats; p from its logit, or p itself,
// kept 1e-7 away from 0 and 1. Value and gradient in one pass. `target` is a constant in [0, 1]; 1 / batch as
// weight gives the mean over a batch of the sum over pixels.
[[nodiscard]] Variable bce_with_logits(const Variable& logits, const Variable& target, double weight = 1);
[[nodiscard]] Variable bce(const Variable& probabilities, const Variable& target, double weight = 1);
// The same of the continuous Bernoulli density: a likelihood for pixels that are not binary. May be negative.
[[nodiscard]] Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target,
                                                double weight = 1);

// weight times the sum over all elements of -log N(target | mean, exp(v)), nats, with log 2 pi. `params` is
// [rows, 2 columns]: the mean (its logit if sigmoid_mean), then the log variance v, clipped to [low, high].
struct GaussianOptions {
  bool sigmoid_mean = true;
  double low = -5, high = 5;
};
[[nodiscard]] Variable gaussian_nll(const Variable& params, const Variable& target,
                                    const GaussianOptions& options = {}, double weight = 1);

// log p(target | parameters) of each row: the sum over its columns, nats; [rows, 1]. The distributions are
// those of the negative log likelihoods above, the target a constant. It may have fewer rows, [rows / n,
// columns]: each then stands for n consecutive rows of parameters, as in importance sampling. One pass; where
// a gradient is needed, the unfused implementation is computed instead.
[[nodiscard]] Variable bernoulli_log_density(const Variable& logits, const Variable& target);
[[nodiscard]] Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target);
[[nodiscard]] Variable gaussian_log_density(const Variable& params, const Variable& target,
                                            const GaussianOptions& options = {});

// log sum_k exp(log_weights_k) N(z_r; mean_k, sigma_k^2) of each row r of z [rows, latent], nats: a mixture
// of diagonal Gaussians; [rows, 1]. `component_params` is [components, 2 latent], read as a posterior's.
// log_weights [components] are taken as they are, the caller normalises them; undefined means 1 / components
// each. Differentiable in all three; never holds rows x components elements.
[[nodiscard]] Variable mixture_log_density(const Variable& z, const Variable& component_params,
                                           PosteriorScale scale, const Variable& log_weights);

// The same functions built from primitives: oracle of the tests, baseline of the benchmark.
namespace unfused {
[[nodiscard]] Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                              Activation activation = Activation::identity);
[[nodiscard]] Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options);
[[nodiscard]] Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale,
                                     double weight = 1);
[[nodiscard]] PosteriorSample sample_posterior_with_kl(const Variable& posterior_params,
                                                       const PosteriorOptions& options, double weight = 1);
[[nodiscard]] Variable bce_with_logits(const Variable& logits, const Variable& target, double weight = 1);
[[nodiscard]] Variable bce(const Variable& probabilities, const Variable& target, double weight = 1);
[[nodiscard]] Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target,
                                                double weight = 1);
[[nodiscard]] Variable gaussian_nll(const Variable& params, const Variable& target,
                                    const GaussianOptions& options = {}, double weight = 1);
[[nodiscard]] Variable bernoulli_log_density(const Variable& logits, const Variable& target);
[[nodiscard]] Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target);
[[nodiscard]] Variable gaussian_log_density(const Variable& params, const Variable& target,
                                            const GaussianOptions& options = {});
[[nodiscard]] Variable mixture_log_density(const Variable& z, const Variable& component_params,
                                           PosteriorScale scale, const Variable& log_weights);
}  // namespace unfused

// Each row n times in a row, [rows, columns] to [rows * n, columns]; f32 or f64, not differentiable.
[[nodiscard]] Tensor repeat_rows(const Tensor& x, std::int64_t n);

// ---- random tensors, not differentiable: row r, column c holds number c of noise's row r ----
[[nodiscard]] Tensor random_normal(Shape shape, const Noise& noise, double mean = 0, double stddev = 1,
                                   DType dtype = DType::f32, Device device = Device::cpu());
[[nodiscard]] Tensor random_uniform(Shape shape, const Noise& noise, double low = 0, double high = 1,
                                    DType dtype = DType::f32, Device device = Device::cpu());

// The same distributions by NVIDIA's cuRAND, f32, from a seed alone; uniform numbers are in (low, high].
// Throws Error on the CPU, where the library is missing, and while a graph is captured.
[[nodiscard]] Tensor curand_normal(Shape shape, std::uint64_t seed, double mean, double stddev,
                                   Device device);
[[nodiscard]] Tensor curand_uniform(Shape shape, std::uint64_t seed, double low, double high, Device device);

}  // namespace gpuvae
