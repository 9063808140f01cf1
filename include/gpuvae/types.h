// Small enumerations shared by operations, kernels and the VAE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace gpuvae {

// Element types of tensors. Operations are differentiable in f32 and, on the CPU only, in f64. Tensors of
// bf16 can only be stored and converted. u8 and i32 hold data and indices.
enum class DType : std::uint8_t { f32, f64, bf16, u8, i32 };

// Bytes per element.
[[nodiscard]] constexpr std::size_t size_of(DType t) {
  switch (t) {
    case DType::f64:
      return 8;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
    case DType::f32:
    case DType::i32:
      break;
  }
  return 4;
}
// Returns the name: "f32", "f64", ...
[[nodiscard]] std::string_view name(DType t);

// The axis of a matrix along which an operation works. A tensor with more than two axes is treated as a
// matrix: its last axis is the columns, and all other axes together are the rows.
enum class Axis : std::uint8_t {
  all,      // the whole tensor
  rows,     // down each column: a sum over it turns [rows, columns] into [columns]
  columns,  // along each row: a sum over it turns [rows, columns] into [rows, 1]
};
// Returns the name: "all", "rows", "columns".
[[nodiscard]] std::string_view name(Axis axis);

// Activations of a dense layer.
enum class Activation : std::uint8_t {
  identity,
  relu,        // max(x, 0)
  leaky_relu,  // x above 0, kLeakySlope x below
  sigmoid,     // 1 / (1 + exp(-x))
  tanh,
  softplus,  // log(1 + exp(x))
  gelu,      // x Phi(x), where Phi is the standard normal CDF (not the tanh approximation)
  silu,      // x sigmoid(x), also called swish
};
// Returns the name: "relu", "leaky_relu", ...
[[nodiscard]] std::string_view name(Activation a);
// The list of all activations, in the order of the enumeration.
[[nodiscard]] std::span<const Activation> all_activations();
// The slope of leaky ReLU below zero.
inline constexpr float kLeakySlope = 0.01f;

// The precision to which a product of f32 matrices rounds its factors. Sums and results are f32 in every
// case, and weights stay f32 in memory.
enum class Precision : std::uint8_t {
  f32,   // factors are not rounded
  tf32,  // 10 mantissa bits; needs a GPU of compute capability 8.0 or higher
  bf16,  // 7 mantissa bits; needs such a GPU, or a CPU with AVX512_BF16 or AMX
};
// Returns the name: "f32", "tf32", "bf16".
[[nodiscard]] std::string_view name(Precision p);

// The meaning of s, the second half of a posterior's parameters (the first half is the mean). The standard
// deviation is exp(s / 2) for log_variance, exp(s) for log_sigma, and softplus(s) + 1e-6 for softplus.
enum class PosteriorScale : std::uint8_t { log_variance, log_sigma, softplus };
// Returns the name: "log_variance", "log_sigma", "softplus".
[[nodiscard]] std::string_view name(PosteriorScale s);

// How the values of a batch are binarized.
enum class Binarize : std::uint8_t {
  none,       // x = byte / 255, or the value of f32 data
  threshold,  // x = byte / 255 (or the value) > threshold
  fixed,      // Bernoulli(byte / 255), drawn once per feature of each example for the whole run
  dynamic,    // Bernoulli(byte / 255), drawn again in every epoch
};
// Returns the name: "none", "threshold", "fixed", "dynamic".
[[nodiscard]] std::string_view name(Binarize b);

// The update rules of gpuvae/optim.h. kernels/math/optimizer.h contains their formulas and literature.
enum class OptimizerKind : std::uint8_t { sgd, rmsprop, rmsprop_tf1, adagrad, adam, adamw };
// Returns the name: "sgd", "rmsprop", ...
[[nodiscard]] std::string_view name(OptimizerKind k);

// What random numbers are used for. The purpose is part of the generator's counter, so that two purposes
// never share numbers.
enum class RandomPurpose : std::uint32_t {
  initialization = 1,  // initial weights
  posterior_noise,     // epsilon of the training set
  validation_noise,    // epsilon of the validation set
  prior,               // draws from p(z)
  binarization,        // Binarize::fixed and dynamic
  likelihood,          // draws from p(x | z)
  test,                // for tests and programs
  importance,          // draws of q(z | x) for evaluation
};

// How training steps are launched.
enum class Executor : std::uint8_t {
  automatic,  // on a GPU `fused` if it supports the model, else `graph`; on the CPU `eager`
  eager,      // one kernel launch per operation
  graph,      // one launch of a captured CUDA graph for many steps
  fused,      // like `graph`, but a step is a few fused kernels, which support only some models
};
// Returns the name: "auto", "eager", "graph", "fused".
[[nodiscard]] std::string_view name(Executor e);

}  // namespace gpuvae
