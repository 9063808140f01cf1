// Differentiable operations. A matrix is [rows, columns]. A tensor with more than two axes is treated as a
// matrix: its last axis is the columns, and all other axes together are the rows. All inputs of an operation
// share one device and one dtype: f32, or f64 on the CPU. An operation runs on the current stream of the
// calling thread, and throws gpuvae::Error, "[operation] expected X, got Y", if shapes, dtypes or devices do
// not match. Several threads may call operations at the same time, even on the same inputs, as long as no
// thread changes an input.
#pragma once

#include <initializer_list>
#include <span>

#include "gpuvae/autograd.h"
#include "gpuvae/random.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// @{
// Elementwise operators. One operand has the shape of the result. The other has the same shape or is
// broadcast to it: a row [columns] or [1, columns], a column [rows, 1], or a single element. A Tensor
// converts to a constant, so `tensor - variable` and `tensor * 2` are variables too. A number acts like a
// tensor of the variable's shape and dtype. Division by a number is computed as multiplication by its
// reciprocal.
[[nodiscard]] Variable operator+(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator*(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator/(const Variable& a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& x);
[[nodiscard]] Variable operator+(const Variable& a, double b);
[[nodiscard]] Variable operator+(double a, const Variable& b);
[[nodiscard]] Variable operator-(const Variable& a, double b);
[[nodiscard]] Variable operator-(double a, const Variable& b);
[[nodiscard]] Variable operator*(const Variable& a, double b);
[[nodiscard]] Variable operator*(double a, const Variable& b);
[[nodiscard]] Variable operator/(const Variable& a, double b);
[[nodiscard]] Variable operator/(double a, const Variable& b);
[[nodiscard]] Variable add(const Variable& a, const Variable& b);
[[nodiscard]] Variable subtract(const Variable& a, const Variable& b);
[[nodiscard]] Variable multiply(const Variable& a, const Variable& b);
[[nodiscard]] Variable divide(const Variable& a, const Variable& b);
// @}

// @name Elementwise functions
// The result has the shape of x.
// @{

// scale * x + shift, as a fused multiply-add (rounded once).
[[nodiscard]] Variable affine(const Variable& x, double scale, double shift);
// e^x.
[[nodiscard]] Variable exp(const Variable& x);
// The natural logarithm: -inf at 0, NaN below.
[[nodiscard]] Variable log(const Variable& x);
// The square root: NaN below 0; the gradient at 0 is inf.
[[nodiscard]] Variable sqrt(const Variable& x);
// x^2.
[[nodiscard]] Variable square(const Variable& x);
// 1 / x.
[[nodiscard]] Variable reciprocal(const Variable& x);
// |x|. The gradient at 0 is 0.
[[nodiscard]] Variable abs(const Variable& x);
// x limited to [low, high]. The gradient is 0 where x is outside the interval.
[[nodiscard]] Variable clamp(const Variable& x, double low, double high);
// An activation function; Activation::identity returns x.
[[nodiscard]] Variable activate(const Variable& x, Activation activation);
// log Gamma(x) for x > 0 (Abramowitz and Stegun, 1964, 6.1.33 and 6.1.41). The relative error is below 2e-6
// (f32) and 1e-14 (f64) for x in [1e-3, 1e5]; the value is inf at 0 and NaN below.
[[nodiscard]] Variable lgamma(const Variable& x);
// log(1 + x) for x > -1, accurate near 0.
[[nodiscard]] Variable log1p(const Variable& x);
// 1 where x is a number, and 0 where it is NaN. The gradient is 0.
[[nodiscard]] Variable is_observed(const Variable& x);
// x, with 0 in the place of NaN, which marks a missing value. The gradient is 0 there.
[[nodiscard]] Variable fill_missing(const Variable& x);
// The derivative of log Gamma. This function is differentiable, too. The error bounds are those of lgamma;
// the value is -inf at 0 and NaN below.
[[nodiscard]] Variable digamma(const Variable& x);
// A(l) = log((exp(l) - 1) / l), the log normaliser of the continuous Bernoulli distribution p(x) = exp(l x -
// A(l)) on [0, 1] with logit l. In the notation of Loaiza-Ganem and Cunningham, 2019, it is softplus(l) - log
// C(l).
[[nodiscard]] Variable continuous_bernoulli_log_normalizer(const Variable& logits);
// The mean of the continuous Bernoulli distribution, which is the derivative of A.
[[nodiscard]] Variable continuous_bernoulli_mean(const Variable& logits);
// @}

// @name Reductions
// Axis::all yields [1], Axis::rows yields [columns], and Axis::columns yields [rows, 1].
// @{

// The sum of the elements along an axis.
[[nodiscard]] Variable sum(const Variable& x, Axis axis = Axis::all);
// The mean of the elements along an axis. Throws Error if there are no elements to average.
[[nodiscard]] Variable mean(const Variable& x, Axis axis = Axis::all);
// The log of the sum of exp(x), without overflow: the largest element is subtracted before the exponential
// and added back after the logarithm. If all elements are -inf, the value is -inf and the gradient is 0.
[[nodiscard]] Variable log_sum_exp(const Variable& x, Axis axis);
// exp(x - log_sum_exp(x, axis)), with the shape of x. If all elements are -inf, the value and the gradient
// are 0; if one is +inf, the value is NaN.
[[nodiscard]] Variable softmax(const Variable& x, Axis axis);
// @}

// @name Shape
// @{

// Returns the same elements in the same order with another shape, which has the same number of elements.
[[nodiscard]] Variable reshape(const Variable& x, Shape shape);
// Transposes x, which must have two axes, from [rows, columns] to [columns, rows].
[[nodiscard]] Variable transpose(const Variable& x);
// Returns the columns `first`, ..., `first + count - 1`: [rows, columns] to [rows, count].
[[nodiscard]] Variable columns(const Variable& x, std::int64_t first, std::int64_t count);
// Concatenates matrices: one below the other for Axis::rows (all must have the same number of columns), or
// side by side for Axis::columns (all must have the same number of rows). Expects at least one part.
[[nodiscard]] Variable concat(std::span<const Variable> parts, Axis axis);
// Like concat() above, with a list of variables.
[[nodiscard]] Variable concat(std::initializer_list<Variable> parts, Axis axis);
// @}

// The matrix product op(a) op(b): [m, k] times [k, n] gives [m, n]. op(a) is a, or its transpose if
// `transpose_a` is true; the same holds for b.
[[nodiscard]] Variable matmul(const Variable& a, const Variable& b, bool transpose_a = false,
                              bool transpose_b = false);

// @name Fused operations
// Each has an unfused implementation of the same name in namespace gpuvae::unfused.
// @{

// activation(x weight^T + bias): x [rows, in], weight [out, in], bias [out] or undefined, result [rows, out].
// `precision` applies to this product and to the two products of the backward pass. The CPU may skip zeros in
// x, so 0 * NaN may yield 0.
[[nodiscard]] Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                              Activation activation = Activation::identity,
                              Precision precision = Precision::f32);

// h * sigmoid(g) with [h, g] = x weight^T + bias, a gated dense layer (Dauphin et al., "Language modeling
// with gated convolutional networks", 2017): x [rows, in], weight [2 out, in], whose first half computes h,
// bias [2 out] or undefined, result [rows, out]. `precision` is that of linear().
[[nodiscard]] Variable gated_linear(const Variable& x, const Variable& weight, const Variable& bias,
                                    Precision precision = Precision::f32);

// How a posterior's parameters are interpreted, and where its noise comes from.
struct PosteriorOptions {
  PosteriorScale scale = PosteriorScale::log_variance;  // meaning of the second half of the parameters
  double noise_std = 1;                                 // standard deviation of epsilon
  Noise noise = {};     // the noise that the kernel draws unless `epsilon` is defined
  Tensor epsilon = {};  // [rows, latent], used instead of drawn noise; or undefined
};
// A draw from a posterior, with its KL divergence.
struct PosteriorSample {
  Variable z;   // [rows, latent]
  Variable kl;  // [1], nats
};
// z = mean + noise_std epsilon sigma, the reparameterised draw (Kingma and Welling, 2013, section 2.4).
// `posterior_params` is [rows, 2 latent]: the mean, then the scale parameter. The result is [rows, latent].
// Here and in the operations below, a value that overflows becomes infinite; where the value is finite, the
// gradient is finite, too, for every scale parameter.
[[nodiscard]] Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options);
// weight times the sum over rows and dimensions of KL(N(mean, sigma^2) || N(0, 1)), nats, [1] (Kingma and
// Welling, 2013, appendix B).
[[nodiscard]] Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale,
                                     double weight = 1);
// Computes sample_posterior and kl_divergence in one pass.
[[nodiscard]] PosteriorSample sample_posterior_with_kl(const Variable& posterior_params,
                                                       const PosteriorOptions& options, double weight = 1);

// Several draws per row, and how they are differentiated.
struct PosteriorDrawOptions {
  PosteriorOptions posterior = {};  // noise_std must be above 0; epsilon is [rows * draws, latent]
  std::int64_t draws = 1;           // draws per row
  bool standard_normal = true;      // whether log_ratio contains log N(z; 0, I)
  EncoderGradient gradient = EncoderGradient::total;  // what the encoder's gradient contains
};
// The result of sample_posterior_draws: the draws of row 0, then those of row 1, and so on.
struct PosteriorDraws {
  Variable z;          // [rows * draws, latent]
  Variable log_ratio;  // [rows * draws, 1], nats: log N(z; 0, I) - log q(z), or -log q(z)
};
// Draws z = mean + noise_std epsilon sigma several times per row, and computes the log ratio of prior and
// posterior, where q is N(mean, (noise_std sigma)^2). `posterior_params` is [rows, 2 latent] as in
// sample_posterior. Draw 0 is the draw of sample_posterior; the others continue the random numbers of the
// row, so that a draw does not depend on the number of draws. With EncoderGradient::doubly_reparameterized,
// log_ratio must enter an importance-weighted bound of all draws of its row, as importance_weighted_loss
// computes it with one group: each draw's share of the gradient with respect to log_ratio is then its
// normalised weight, by which all gradients of the draw are multiplied.
[[nodiscard]] PosteriorDraws sample_posterior_draws(const Variable& posterior_params,
                                                    const PosteriorDrawOptions& options);

// How importance_weighted_loss combines the draws of a row. A row has groups * samples draws, and a group
// consists of `samples` consecutive draws.
struct ImportanceOptions {
  std::int64_t samples = 1;      // draws per group
  std::int64_t groups = 1;       // groups per row
  double elbo_share = 0;         // share of the ELBO in the bound, from 0 to 1
  double weight = 1;             // factor of the result; 1 / rows yields nats per row
  double kl_weight = 1;          // factor of log_ratio in log w
  Tensor device_kl_weight = {};  // [1] on the device of log_ratio, multiplies kl_weight; or undefined
};
// The result of importance_weighted_loss. Only `loss` is differentiable.
struct ImportanceLoss {
  Variable loss;             // [1], -weight times the sum over rows of the bound
  Variable reconstruction;   // [1], -weight times the sum over rows of the mean over draws of log_likelihood
  Variable kl;               // [1], the same of log_ratio
  Tensor bounds;             // [rows, 1], nats
  Tensor effective_samples;  // [rows, 1]: (sum w)^2 / (sum w^2) over the draws of a row
};
// Minus a bound on log p(x), estimated from draws z of q(z | x). With log w = log_likelihood + kl_weight
// log_ratio, the bound of a row is elbo_share times the mean over its draws of log w, plus 1 - elbo_share
// times the mean over its groups of log (mean over the group's draws of w): the importance-weighted
// autoencoder for one group (Burda, Grosse and Salakhutdinov, 2015), MIWAE for several groups, and CIWAE for
// a share between 0 and 1 (Rainforth et al., 2018). `log_likelihood`, log p(x | z), and `log_ratio`, log p(z)
// - log q(z | x), are [rows * groups * samples, 1]; an undefined log_ratio counts as 0. The bound is finite
// if one weight per group is above 0. Only with kl_weight 1 is it a bound. If kl_weight is 0, the gradient
// with respect to log_ratio is that for 1e-20, from which sample_posterior_draws computes the normalised
// weights.
[[nodiscard]] ImportanceLoss importance_weighted_loss(const Variable& log_likelihood,
                                                      const Variable& log_ratio,
                                                      const ImportanceOptions& options);

// A draw and its log density, log q(z | x).
struct DensitySample {
  Variable z;            // [rows, latent]
  Variable log_density;  // [rows, 1], nats
};
// A draw z = mean + L epsilon from a Gaussian with a full covariance matrix, and its log density (Kingma and
// Welling, "An introduction to variational autoencoders", 2019, section 2.5.1). L is lower triangular. A row
// of `posterior_params` [rows, latent (latent + 3) / 2] holds the mean, the logarithms of L's diagonal, and
// the elements below the diagonal, row by row. `epsilon` [rows, latent] is used instead of `noise` if it is
// defined.
[[nodiscard]] DensitySample sample_full_covariance(const Variable& posterior_params, const Noise& noise,
                                                   const Tensor& epsilon = {});
// The same draw, and weight times the sum over rows of KL(N(mean, L L^T) || N(0, I)), nats, [1].
[[nodiscard]] PosteriorSample sample_full_covariance_with_kl(const Variable& posterior_params,
                                                             const Noise& noise, const Tensor& epsilon = {},
                                                             double weight = 1);

// The image z' of z under a normalizing flow, and log |det dz'/dz|.
struct FlowSample {
  Variable z;        // [rows, latent]
  Variable log_det;  // [rows, 1]
};
// A sequence of planar layers z' = z + u' tanh(w.z + b), where u' = u + (softplus(w.u) - 1 - w.u) w / |w|^2
// makes each layer invertible (Rezende and Mohamed, "Variational inference with normalizing flows", 2015,
// appendix A.1). z is [rows, latent]. A row of `params` [rows, layers (2 latent + 1)] holds w, u and b of
// each layer for that row of z. All layers are computed in one kernel.
[[nodiscard]] FlowSample planar_flow(const Variable& z, const Variable& params);
// The element-wise step of an inverse autoregressive flow, z' = gate z + (1 - gate) m with gate = sigmoid(s +
// 2) (Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016). z is [rows,
// latent] and `params` [rows, 2 latent]: m, then s. log_det = sum of log gate is the log determinant if
// column i of m and s depends only on columns of z before i, in some order of the columns.
[[nodiscard]] FlowSample autoregressive_step(const Variable& z, const Variable& params);

// In the likelihoods below, an element of the target that is NaN is a missing value: it adds 0 to the result
// and to the gradient. The unfused implementations require complete targets.

// weight times the sum over all elements of -log Bernoulli(target | sigmoid(logit)), nats, [1], with value
// and gradient computed in one pass. `target` is a constant in [0, 1]. A weight of 1 / batch yields the mean
// over the batch of the sum over the features.
[[nodiscard]] Variable bce_with_logits(const Variable& logits, const Variable& target, double weight = 1);
// Like bce_with_logits, but for probabilities, which are clamped to [1e-7, 1 - 1e-7].
[[nodiscard]] Variable bce(const Variable& probabilities, const Variable& target, double weight = 1);
// weight times the sum over all elements of the continuous Bernoulli's -log p(target | logit), nats, [1]. p
// is a density on [0, 1], so the result may be negative (Loaiza-Ganem and Cunningham, 2019).
[[nodiscard]] Variable continuous_bernoulli_nll(const Variable& logits, const Variable& target,
                                                double weight = 1);

// How the parameters of a Gaussian likelihood are interpreted.
struct GaussianOptions {
  bool sigmoid_mean = true;  // the first half of the parameters holds logits of the mean
  double low = -5;           // lower bound of the log variance
  double high = 5;           // upper bound of the log variance
};
// weight times the sum over all elements of -log N(target | mean, exp(v)), nats, [1], including log 2 pi.
// `params` is [rows, 2 columns]: the mean or its logit, then the log variance v, which is clipped to the
// bounds.
[[nodiscard]] Variable gaussian_nll(const Variable& params, const Variable& target,
                                    const GaussianOptions& options = {}, double weight = 1);

// How the parameters of a Laplace likelihood are interpreted.
struct LaplaceOptions {
  bool sigmoid_location = true;  // the first half of the parameters holds logits of the location
  double low = -5;               // lower bound of the log scale
  double high = 5;               // upper bound of the log scale
};
// weight times the sum over all elements of -log Laplace(target | location, exp(s)), nats, [1], which is log
// 2 + s + |target - location| exp(-s). `params` is [rows, 2 columns]: the location or its logit, then the log
// scale s, which is clipped to the bounds. Where target and location are equal, the gradient with respect to
// the location is 0.
[[nodiscard]] Variable laplace_nll(const Variable& params, const Variable& target,
                                   const LaplaceOptions& options = {}, double weight = 1);

// How the parameters of a discretised logistic likelihood are interpreted.
struct DiscretizedLogisticOptions {
  bool sigmoid_location = true;  // the first half of the parameters holds logits of the location
  double low = -7;               // lower bound of the log scale
  double high = 2;               // upper bound of the log scale
};
// weight times the sum over all elements of -log P(target | location, exp(s)), nats, [1], for bytes: each
// element of the target is byte / 255 and is rounded to the nearest such number. A byte v has the probability
// of [v, v + 1] / 256 under the logistic distribution; the intervals of 0 and 255 extend to infinity, so that
// the 256 probabilities sum to 1 (Kingma et al., arXiv:1606.04934; Salimans et al., arXiv:1701.05517).
// `params` is [rows, 2 columns]: the location or its logit, then the log scale s, which is clipped to the
// bounds. Throws Error for bounds outside [-30, 30].
[[nodiscard]] Variable discretized_logistic_nll(const Variable& params, const Variable& target,
                                                const DiscretizedLogisticOptions& options = {},
                                                double weight = 1);
// weight times the sum over all elements of -log Poisson(target | exp(log_mean)), nats, [1]. The target holds
// counts, whole numbers of 0 or more. log_mean is clipped to [-40, 40]. In this and the next two functions,
// probabilities are computed in Loader's saddle-point form, which is accurate in f32 for large counts.
[[nodiscard]] Variable poisson_nll(const Variable& log_mean, const Variable& target, double weight = 1);
// weight times the sum over all elements of -log NB(target | mean, k), nats, [1]: the negative binomial
// distribution of counts with variance mean + mean^2 / k. `params` is [rows, 2 columns]: log mean, then the
// log inverse dispersion log k. Both are clipped to [-40, 40].
[[nodiscard]] Variable negative_binomial_nll(const Variable& params, const Variable& target,
                                             double weight = 1);
// Like negative_binomial_nll, where a count is 0 with probability sigmoid(gate) and otherwise drawn from NB.
// `params` is [rows, 3 columns]: log mean, log inverse dispersion, gate logit.
[[nodiscard]] Variable zero_inflated_negative_binomial_nll(const Variable& params, const Variable& target,
                                                           double weight = 1);

// The first column of each group of a one-hot table, in memory of a device.
class ColumnGroups {
 public:
  // Throws Error unless there is at least one group and all sizes are positive.
  ColumnGroups(std::span<const std::int64_t> sizes, Device device);
  [[nodiscard]] std::int64_t columns() const { return columns_; }  // columns of all groups
  [[nodiscard]] const Tensor& starts() const { return starts_; }   // i32 [groups + 1], ending with columns()

 private:
  std::int64_t columns_ = 0;
  Tensor starts_;
};
// weight times the sum over rows and groups of the negative log density of categorical variables, nats, [1].
// Each group of columns is one variable: `logits` has its unnormalised log probabilities, and `target` has 1
// in the column of its category and 0 elsewhere. A group of zeros, or with a NaN, is a missing value.
[[nodiscard]] Variable categorical_nll(const Variable& logits, const Variable& target,
                                       const ColumnGroups& groups, double weight = 1);

// log Bernoulli(target | sigmoid(logits)), summed over the columns of each row, in nats, [rows, 1]. `target`
// is a constant. It may have fewer rows, [rows / n, columns]: each of its rows then applies to n consecutive
// rows of parameters, as in importance sampling. Where the gradient with respect to the result is 0, that
// with respect to the parameters is 0, even if the derivative of the density is infinite.
[[nodiscard]] Variable bernoulli_log_density(const Variable& logits, const Variable& target);
// Like bernoulli_log_density, for the continuous Bernoulli distribution.
[[nodiscard]] Variable continuous_bernoulli_log_density(const Variable& logits, const Variable& target);
// Like bernoulli_log_density, for the Gaussian with the parameters of gaussian_nll.
[[nodiscard]] Variable gaussian_log_density(const Variable& params, const Variable& target,
                                            const GaussianOptions& options = {});
// Like bernoulli_log_density, for the Laplace distribution with the parameters of laplace_nll.
[[nodiscard]] Variable laplace_log_density(const Variable& params, const Variable& target,
                                           const LaplaceOptions& options = {});

// Like bernoulli_log_density, for the discretised logistic distribution with the parameters of
// discretized_logistic_nll.
[[nodiscard]] Variable discretized_logistic_log_density(const Variable& params, const Variable& target,
                                                        const DiscretizedLogisticOptions& options = {});
// Like bernoulli_log_density, for counts with the parameters of poisson_nll.
[[nodiscard]] Variable poisson_log_density(const Variable& log_mean, const Variable& target);
// Like bernoulli_log_density, for counts with the parameters of negative_binomial_nll.
[[nodiscard]] Variable negative_binomial_log_density(const Variable& params, const Variable& target);
// Like bernoulli_log_density, for counts with the parameters of zero_inflated_negative_binomial_nll.
[[nodiscard]] Variable zero_inflated_negative_binomial_log_density(const Variable& params,
                                                                   const Variable& target);
// Like bernoulli_log_density, for the categorical variables of categorical_nll.
[[nodiscard]] Variable categorical_log_density(const Variable& logits, const Variable& target,
                                               const ColumnGroups& groups);

// log sum_k exp(log_weights_k) N(z_r; mean_k, sigma_k^2) for each row r of z [rows, latent], in nats, [rows,
// 1]: the log density of a mixture of diagonal Gaussians. `component_params` is [components, 2 latent], read
// like a posterior's parameters. `log_weights` [components] is used as given, so the caller must normalise
// it. If it is undefined, each weight is 1 / components. The result is differentiable with respect to all
// three inputs, and the operation allocates no intermediate of rows x components elements. `left_out` [rows],
// i32, names for each row the component that its mixture leaves out; the others then have the weight 1 /
// (components - 1), as in an exemplar prior (Norouzi et al., 2020). A negative number leaves out none. Other
// numbers throw Error on the CPU; on a GPU they are not checked, and the result is wrong. It requires equal
// weights and 2 or more components; undefined, no component is left out.
[[nodiscard]] Variable mixture_log_density(const Variable& z, const Variable& component_params,
                                           PosteriorScale scale, const Variable& log_weights,
                                           const Tensor& left_out = {});
// @}

// Implementations of the fused operations with primitive operations, used as the reference in tests and as
// the baseline in benchmarks.
namespace unfused {
// @{
// Each function computes the same result as the fused operation of the same name.
[[nodiscard]] Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                              Activation activation = Activation::identity);
[[nodiscard]] Variable gated_linear(const Variable& x, const Variable& weight, const Variable& bias);
[[nodiscard]] Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options);
[[nodiscard]] Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale,
                                     double weight = 1);
[[nodiscard]] PosteriorSample sample_posterior_with_kl(const Variable& posterior_params,
                                                       const PosteriorOptions& options, double weight = 1);
[[nodiscard]] PosteriorDraws sample_posterior_draws(const Variable& posterior_params,
                                                    const PosteriorDrawOptions& options);
[[nodiscard]] ImportanceLoss importance_weighted_loss(const Variable& log_likelihood,
                                                      const Variable& log_ratio,
                                                      const ImportanceOptions& options);
[[nodiscard]] DensitySample sample_full_covariance(const Variable& posterior_params, const Noise& noise,
                                                   const Tensor& epsilon = {});
[[nodiscard]] PosteriorSample sample_full_covariance_with_kl(const Variable& posterior_params,
                                                             const Noise& noise, const Tensor& epsilon = {},
                                                             double weight = 1);
[[nodiscard]] FlowSample planar_flow(const Variable& z, const Variable& params);
[[nodiscard]] FlowSample autoregressive_step(const Variable& z, const Variable& params);
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
[[nodiscard]] Variable laplace_nll(const Variable& params, const Variable& target,
                                   const LaplaceOptions& options = {}, double weight = 1);
[[nodiscard]] Variable laplace_log_density(const Variable& params, const Variable& target,
                                           const LaplaceOptions& options = {});
[[nodiscard]] Variable discretized_logistic_nll(const Variable& params, const Variable& target,
                                                const DiscretizedLogisticOptions& options = {},
                                                double weight = 1);
[[nodiscard]] Variable discretized_logistic_log_density(const Variable& params, const Variable& target,
                                                        const DiscretizedLogisticOptions& options = {});
[[nodiscard]] Variable poisson_nll(const Variable& log_mean, const Variable& target, double weight = 1);
[[nodiscard]] Variable poisson_log_density(const Variable& log_mean, const Variable& target);
[[nodiscard]] Variable negative_binomial_nll(const Variable& params, const Variable& target,
                                             double weight = 1);
[[nodiscard]] Variable negative_binomial_log_density(const Variable& params, const Variable& target);
[[nodiscard]] Variable zero_inflated_negative_binomial_nll(const Variable& params, const Variable& target,
                                                           double weight = 1);
[[nodiscard]] Variable zero_inflated_negative_binomial_log_density(const Variable& params,
                                                                   const Variable& target);
[[nodiscard]] Variable categorical_nll(const Variable& logits, const Variable& target,
                                       const ColumnGroups& groups, double weight = 1);
[[nodiscard]] Variable categorical_log_density(const Variable& logits, const Variable& target,
                                               const ColumnGroups& groups);
[[nodiscard]] Variable mixture_log_density(const Variable& z, const Variable& component_params,
                                           PosteriorScale scale, const Variable& log_weights,
                                           const Tensor& left_out = {});
// @}
}  // namespace unfused

// @{
// Repeats each row n times, from [rows, columns] to [rows * n, columns]. x is f32 or f64. The function of a
// Variable is differentiable.
[[nodiscard]] Tensor repeat_rows(const Tensor& x, std::int64_t n);
[[nodiscard]] Variable repeat_rows(const Variable& x, std::int64_t n);
// @}

// @name Random tensors
// They are constants. The element in row r and column c is random number c for row r of `noise`
// (gpuvae/random.h).
// @{

// Normal numbers.
[[nodiscard]] Tensor random_normal(Shape shape, const Noise& noise, double mean = 0, double stddev = 1,
                                   DType dtype = DType::f32, Device device = Device::cpu());
// Uniform numbers in [low, high).
[[nodiscard]] Tensor random_uniform(Shape shape, const Noise& noise, double low = 0, double high = 1,
                                    DType dtype = DType::f32, Device device = Device::cpu());
// Normal numbers from NVIDIA's cuRAND (Philox4x32-10 in cuRAND's order), f32. They depend only on the seed.
// Throws Error for the CPU, if the cuRAND library is missing, and during a graph capture.
[[nodiscard]] Tensor curand_normal(Shape shape, std::uint64_t seed, double mean, double stddev,
                                   Device device);
// Uniform numbers in (low, high] from cuRAND; see curand_normal.
[[nodiscard]] Tensor curand_uniform(Shape shape, std::uint64_t seed, double low, double high, Device device);
// @}

}  // namespace gpuvae
#pragma GCC visibility pop
