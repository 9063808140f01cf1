// Small enumerations shared by operations, kernels and the VAE. types.h adds their names.
//
// The header includes little, because kernels include it and nvcc reads a header several times per file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gpuvae {

// Element types of tensors. f32 and f64 are differentiable (f64 on the CPU only), bf16 is for storage and
// matrix products, u8 and i32 hold data and indices.
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

// The axis of a matrix along which an operation works. A tensor of more dimensions counts as the matrix of
// its rows (all axes but the last) and columns (the last).
enum class Axis : std::uint8_t {
  all,      // the whole tensor
  rows,     // down each column: a sum over it turns [rows, columns] into [columns]
  columns,  // along each row: a sum over it turns [rows, columns] into [rows, 1]
};

// Activations of a dense layer.
enum class Activation : std::uint8_t {
  identity,
  relu,        // max(x, 0)
  leaky_relu,  // x above 0, kLeakySlope x below
  sigmoid,     // 1 / (1 + exp(-x))
  tanh,
  softplus,  // log(1 + exp(x))
  gelu,      // x Phi(x) with the standard normal distribution's Phi; not its approximation by tanh
  silu,      // x sigmoid(x), also called swish
};
// The slope of leaky ReLU below zero.
inline constexpr float kLeakySlope = 0.01f;

// How a matrix product reads its factors. Sums and results are f32 in every case, and weights stay f32 in
// memory.
enum class Precision : std::uint8_t {
  f32,   // factors are not rounded
  tf32,  // rounded to 10 bits of fraction; needs a GPU of compute capability 8.0 or higher
  bf16,  // rounded to 7 bits of fraction; needs such a GPU, or a CPU with AVX512_BF16 or AMX
};

// What the second half s of a posterior's parameters means (the first half is the mean): the standard
// deviation is exp(s / 2), exp(s), or softplus(s) + 1e-6.
enum class PosteriorScale : std::uint8_t { log_variance, log_sigma, softplus };

// How the values of a batch are binarized.
enum class Binarize : std::uint8_t {
  none,       // x = byte / 255, or the value of f32 data
  threshold,  // x = byte / 255 (or the value) > threshold
  fixed,      // Bernoulli(byte / 255), drawn once per feature for the whole run
  dynamic,    // Bernoulli(byte / 255), drawn again in every epoch
};

// The update rules of gpuvae/optim.h. kernels/math/optimizer.h has the formulas and their sources.
enum class OptimizerKind : std::uint8_t { sgd, rmsprop, rmsprop_tf1, adagrad, adam, adamw };

// The purpose of random numbers. It is part of the counter, so that two purposes never share numbers.
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
  automatic,  // on a GPU `fused` if the model fits, else `graph`; on the CPU `eager`
  eager,      // one kernel launch per operation
  graph,      // one launch of a captured CUDA graph for many steps
  fused,      // like `graph`, with a few fused kernels per step, for models that these kernels support
};

}  // namespace gpuvae
