// Test cases of operations, which tests/operations_test.cpp and the benchmark use. The tests compare results
// with naive loops in double precision, gradients with central differences, f32 gradients with f64, fused
// with unfused operations, CUDA with the CPU, and different numbers of threads.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/ops.h"

namespace gpuvae::cases {

using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

// An input. Its values are drawn uniformly from [low, high] and moved at least `margin` away from zero, where
// some functions have a kink.
struct Input {
  Shape shape = {};
  double low = -1, high = 1, margin = 0;
  bool differentiable = true;
  double step = 0;              // if above 0, the values are multiples of it
  std::int64_t categories = 0;  // if above 0, each group of so many values is one-hot
};

struct Case {
  std::string operation;  // name in gpuvae/ops.h
  std::string name = {};  // name of the case, such as "linear/relu_100x784x256"
  std::vector<Input> inputs = {};
  std::function<Variables(std::span<const Variable>)> run = {};      // the operation under test
  std::function<Variables(std::span<const Variable>)> unfused = {};  // empty for a primitive
  // The unfused operation with noise from cuRAND, as a user of NVIDIA's libraries would write it. Empty for
  // operations without noise.
  std::function<Variables(std::span<const Variable>)> unfused_curand = {};
  // Computes the outputs from the inputs in plain loops over doubles.
  std::function<std::vector<Doubles>(std::span<const Doubles>)> reference = {};
  // Largest permitted errors of results and of gradients in f32, relative to the largest element of the
  // tensor.
  double tolerance = 1e-5, gradient_tolerance = 1e-4;
  // Whether the gradient is the derivative of the value. It is not for some estimators of an objective's
  // gradient.
  bool true_gradient = true;
  // The minimum numbers of bytes moved and of floating-point operations: `bytes` and `flops` for the forward
  // and backward pass together, the others for the forward pass alone. Each addition, multiplication,
  // division, exponential, logarithm or root counts as one operation.
  double bytes = 0, flops = 0, forward_bytes = 0, forward_flops = 0;
};

const std::vector<Case>& all_cases();

// elementwise_cases() is defined in elementwise.cpp, and so on.
std::vector<Case> elementwise_cases();
std::vector<Case> operator_cases();
std::vector<Case> shape_cases();
std::vector<Case> softmax_cases();
std::vector<Case> linear_cases();
std::vector<Case> posterior_cases();
std::vector<Case> likelihood_cases();
std::vector<Case> log_density_cases();
std::vector<Case> importance_cases();
std::vector<Case> discrete_cases();
std::vector<Case> mixture_cases();
std::vector<Case> gated_linear_cases();
std::vector<Case> flow_cases();
std::vector<Case> random_cases();

// These functions create cases of any size. The benchmark uses them too.
Case bce_case(bool logits, Shape shape, double weight);
Case continuous_bernoulli_case(Shape shape, double largest_logit, double weight);
Case gaussian_nll_case(std::int64_t rows, std::int64_t width, bool sigmoid_mean, double weight);
// The negative log likelihoods of bytes and counts.
std::vector<Case> discrete_nll_cases(std::int64_t rows, std::int64_t width, double weight);
// `groups` categorical variables of `size` categories each.
Case categorical_case(std::int64_t rows, std::int64_t groups, std::int64_t size, double weight);
Case linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, Activation activation,
                 bool bias = true);
enum class PosteriorForm { sample, kl, both };
Case posterior_case(PosteriorForm form, PosteriorScale scale, std::int64_t rows, std::int64_t latent);
// The log density of one element. `params` points at the element's first parameter; the others are `width`
// elements apart. They are computed from their definitions in double precision. See kDiscreteOptions for the
// discretised logistic distribution.
double discretized_logistic_element(const double* params, std::int64_t width, double target);
double poisson_element(const double* params, std::int64_t width, double target);
double negative_binomial_element(const double* params, std::int64_t width, double target);
double zero_inflated_element(const double* params, std::int64_t width, double target);
inline constexpr DiscretizedLogisticOptions kDiscreteOptions{true, -2.5, -0.5};

// Returns one case per variant of the fused log densities: Bernoulli, continuous Bernoulli, Gaussian and
// Laplace, each with a plain and with a sigmoid mean, and those of bytes and counts. Each of the `targets`
// rows of data has n rows of likelihood parameters. The parameters require gradients if `differentiable` is
// true.
std::vector<Case> log_density_cases(std::int64_t targets, std::int64_t n, std::int64_t width,
                                    bool differentiable);
// Draws per row from posteriors of `latent` dimensions.
struct DrawsSetting {
  std::int64_t rows, latent, draws;
  PosteriorScale scale = PosteriorScale::log_variance;
  EncoderGradient gradient = EncoderGradient::total;
  bool standard_normal = true;
};
Case posterior_draws_case(const DrawsSetting& setting);
// The loss of rows of groups * samples draws.
struct ImportanceSetting {
  std::int64_t rows, groups, samples;
  double elbo_share = 0, kl_weight = 1;
  bool differentiable = true;  // otherwise, all results are outputs, of which only the loss has a gradient
};
Case importance_case(const ImportanceSetting& setting);
struct MixtureSetting {
  std::int64_t rows, latent, components;
  PosteriorScale scale = PosteriorScale::log_variance;
  bool weighted = false;  // whether the weights of the components are an input; otherwise they are equal
  double spread = 1.5;    // z and the parameters of the components are drawn from [-spread, spread]
  bool left_out = false;  // whether each row but every third leaves out a component
};
Case mixture_case(const MixtureSetting& setting);

Case gated_linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, bool bias = true);
Case planar_flow_case(std::int64_t rows, std::int64_t latent, std::int64_t layers);
Case autoregressive_step_case(std::int64_t rows, std::int64_t latent);
// The draw with its log density, or with its KL divergence.
Case full_covariance_case(std::int64_t rows, std::int64_t latent, bool kl);

// Returns sigma for a scale parameter s, computed from its definition in double precision.
double sigma_of(PosteriorScale scale, double s);

// Returns the value of an activation at x, computed from its definition in double precision.
double activated(Activation activation, double x);

// Returns the values of an input, the same in every call. Inputs with different `salt` get different values.
Doubles input_values(const Input& input, std::uint64_t salt);

}  // namespace gpuvae::cases
