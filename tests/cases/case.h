// A case of an operation. It drives four checks and the benchmark: results against a naive double reference,
// gradients against central differences, fused against unfused, and CUDA against CPU.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/ops.h"

namespace gpuvae::cases {

using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

// An input, whose values are drawn uniformly from [low, high], at least `margin` away from zero, where some
// functions have a kink.
struct Input {
  Shape shape = {};
  double low = -1, high = 1, margin = 0;
  bool differentiable = true;
};

struct Case {
  std::string operation;  // name in gpuvae/ops.h
  std::string name = {};  // "linear/relu_100x784x256"
  std::vector<Input> inputs = {};
  std::function<Variables(std::span<const Variable>)> run = {};
  std::function<Variables(std::span<const Variable>)> unfused = {};  // empty for a primitive
  // The unfused operation with noise by cuRAND, as a user of NVIDIA's libraries would write it; empty without
  // noise.
  std::function<Variables(std::span<const Variable>)> unfused_curand = {};
  // Computes the outputs from the inputs in plain loops over doubles.
  std::function<std::vector<Doubles>(std::span<const Doubles>)> reference = {};
  // Largest errors of results and gradients in f32, relative to their largest element.
  double tolerance = 1e-5, gradient_tolerance = 1e-4;
  // The minimum work of forward and backward together, and of the forward pass alone. Additions, products,
  // divisions, exponentials, logarithms and roots count as one operation each.
  double bytes = 0, flops = 0, forward_bytes = 0, forward_flops = 0;
};

const std::vector<Case>& all_cases();

// Each function is defined in the file of the same name.
std::vector<Case> elementwise_cases();
std::vector<Case> operator_cases();
std::vector<Case> shape_cases();
std::vector<Case> softmax_cases();
std::vector<Case> linear_cases();
std::vector<Case> posterior_cases();
std::vector<Case> likelihood_cases();
std::vector<Case> log_density_cases();
std::vector<Case> mixture_cases();
std::vector<Case> random_cases();

// Functions that create cases of any size, also for the benchmark.
Case bce_case(bool logits, Shape shape, double weight);
Case continuous_bernoulli_case(Shape shape, double largest_logit, double weight);
Case gaussian_nll_case(std::int64_t rows, std::int64_t width, bool sigmoid_mean, double weight);
Case linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, Activation activation,
                 bool bias = true);
enum class PosteriorForm { sample, kl, both };
Case posterior_case(PosteriorForm form, PosteriorScale scale, std::int64_t rows, std::int64_t latent);
// Returns cases for Bernoulli, continuous Bernoulli, and Gaussian with a plain and with a sigmoid mean. Each
// of `targets` rows belongs to n rows of parameters. The fused kernel runs only without a gradient.
std::vector<Case> log_density_cases(std::int64_t targets, std::int64_t n, std::int64_t width,
                                    bool differentiable);
struct MixtureSetting {
  std::int64_t rows, latent, components;
  PosteriorScale scale = PosteriorScale::log_variance;
  bool weighted = false;
  double spread = 1.5;  // of z and of the means
};
Case mixture_case(const MixtureSetting& setting);

// Evaluates an activation's definition in double precision.
double activated(Activation activation, double x);

// Returns the values of an input, which are always the same. `salt` distinguishes inputs.
Doubles input_values(const Input& input, std::uint64_t salt);

}  // namespace gpuvae::cases
