// One case of an operation drives four checks and the benchmark: against a naive double reference, gradients
// against central differences, fused against unfused, CUDA against CPU.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/ops.h"

namespace gpuvae::cases {

using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

// Values are drawn uniformly from [low, high], at least `margin` away from zero (from kinks).
struct Input {
  Shape shape = {};
  double low = -1, high = 1, margin = 0;
  bool differentiable = true;
};

struct Case {
  std::string operation;  // its name in gpuvae/ops.h
  std::string name = {};  // "linear/relu_100x784x256"
  std::vector<Input> inputs = {};
  std::function<Variables(std::span<const Variable>)> run = {};
  std::function<Variables(std::span<const Variable>)> unfused = {};  // empty for a primitive
  // The same with noise by cuRAND, as a user of NVIDIA's libraries would write it; empty without noise.
  std::function<Variables(std::span<const Variable>)> unfused_curand = {};
  // Outputs from inputs, in plain loops over doubles.
  std::function<std::vector<Doubles>(std::span<const Doubles>)> reference = {};
  // Largest error relative to the largest element of the result (f32); of gradients likewise.
  double tolerance = 1e-5, gradient_tolerance = 1e-4;
  // The least that forward and backward together move and do (additions, products, divisions, exponentials,
  // logarithms and roots count one each), and what the forward pass alone does.
  double bytes = 0, flops = 0, forward_bytes = 0, forward_flops = 0;
};

const std::vector<Case>& all_cases();

// By file of the same name.
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

// Makers of cases of any size, for the benchmark too.
Case bce_case(bool logits, Shape shape, double weight);
Case continuous_bernoulli_case(Shape shape, double largest_logit, double weight);
Case gaussian_nll_case(std::int64_t rows, std::int64_t width, bool sigmoid_mean, double weight);
Case linear_case(std::int64_t rows, std::int64_t in, std::int64_t out, Activation activation,
                 bool bias = true);
enum class PosteriorForm { sample, kl, both };
Case posterior_case(PosteriorForm form, PosteriorScale scale, std::int64_t rows, std::int64_t latent);
// Bernoulli, continuous Bernoulli, Gaussian with a plain and with a sigmoid mean. Each of `targets` rows
// stands for n rows of parameters. Only without a gradient is the fused kernel run.
std::vector<Case> log_density_cases(std::int64_t targets, std::int64_t n, std::int64_t width,
                                    bool differentiable);
struct MixtureSetting {
  std::int64_t rows, latent, components;
  PosteriorScale scale = PosteriorScale::log_variance;
  bool weighted = false;
  double spread = 1.5;  // of z and the means
};
Case mixture_case(const MixtureSetting& setting);

// The activation's definition, in double precision.
double activated(Activation activation, double x);

// Values of an input, the same every time: `salt` tells inputs apart.
Doubles input_values(const Input& input, std::uint64_t salt);

}  // namespace gpuvae::cases
