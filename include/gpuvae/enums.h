// Small enumerations shared by operations, kernels and the VAE. types.h adds their names.
//
// This header includes little, because kernels include it and nvcc reads each header several times per file.
#pragma once

#include <cstddef>
#include <cstdint>

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

// The axis of a matrix along which an operation works. A tensor with more than two axes is treated as a
// matrix: its last axis is the columns, and all other axes together are the rows.
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
  gelu,      // x Phi(x), where Phi is the standard normal CDF (not the tanh approximation)
  silu,      // x sigmoid(x), also called swish
};
// The slope of leaky ReLU below zero.
inline constexpr float kLeakySlope = 0.01f;

// The precision to which a product of f32 matrices rounds its factors. Sums and results are f32 in every
// case, and weights stay f32 in memory.
enum class Precision : std::uint8_t {
  f32,   // factors are not rounded
  tf32,  // 10 mantissa bits; needs a GPU of compute capability 8.0 or higher
  bf16,  // 7 mantissa bits; needs such a GPU, or a CPU with AVX512_BF16 or AMX
};

// The meaning of s, the second half of a posterior's parameters (the first half is the mean). The standard
// deviation is exp(s / 2) for log_variance, exp(s) for log_sigma, and softplus(s) + 1e-6 for softplus.
enum class PosteriorScale : std::uint8_t { log_variance, log_sigma, softplus };

// What the gradient of log q(z | x) at draws z from q consists of.
enum class EncoderGradient : std::uint8_t {
  total,  // the derivative of the value
  // The derivative through z only: the parameters of q themselves count as constants ("sticking the landing",
  // Roeder, Wu and Duvenaud, 2017). Unbiased for the ELBO.
  path,
  // As `path`, with the gradient of each draw multiplied by its normalised importance weight. Unbiased for
  // the importance-weighted bound (Tucker, Lawson, Gu and Maddison, 2018).
  doubly_reparameterized,
};

// What training maximises, as a function of log w_k = log p(x | z_k) + log p(z_k) - log q(z_k | x) for the
// draws z_1, ..., z_K of an example.
enum class ObjectiveKind : std::uint8_t {
  // The mean of log w_k (Kingma and Welling, 2013). The KL divergence is in closed form if there is one,
  // unless Objective::sampled_kl is true.
  elbo,
  // The mean of log w_k, with EncoderGradient::path, which is 0 at the exact posterior.
  stl,
  // log (mean of w_k), which in expectation is at least the ELBO and at most log p(x) (Burda, Grosse and
  // Salakhutdinov, 2015).
  iwae,
  iwae_stl,  // iwae with EncoderGradient::path, which is biased if K > 1
  dreg,      // iwae with EncoderGradient::doubly_reparameterized, which is unbiased
  ciwae,     // Objective::mix times the ELBO plus 1 - mix times iwae (Rainforth et al., 2018)
  miwae,     // the mean over Objective::groups of iwae of each group's draws (Rainforth et al., 2018)
  piwae,     // miwae for the encoder, and iwae of all draws for the decoder (Rainforth et al., 2018)
};

// How the values of a batch are binarized.
enum class Binarize : std::uint8_t {
  none,       // x = byte / 255, or the value of f32 data
  threshold,  // x = byte / 255 (or the value) > threshold
  fixed,      // Bernoulli(byte / 255), drawn once per feature of each example for the whole run
  dynamic,    // Bernoulli(byte / 255), drawn again in every epoch
};

// The update rules of gpuvae/optim.h. kernels/math/optimizer.h contains their formulas and literature.
enum class OptimizerKind : std::uint8_t { sgd, rmsprop, rmsprop_tf1, adagrad, adam, adamw };

// How the moving average of the weights begins (gpuvae/average.h). kernels/math/average.h has the formulas.
enum class AverageForm : std::uint8_t {
  warmup,    // the decay of update t, from 0, is min(decay, (1 + t) / (10 + t)); starts at the first weights
  debiased,  // starts at 0 and divides by 1 - decay^(t + 1), which is the weighted mean of all weights so far
  first,     // starts at the weights after the first update
  zero,      // starts at 0, towards which early averages are biased
};

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

// What a trainer does with a step whose loss or gradient is infinite or not a number. A gradient also counts
// as infinite if the square of its norm, after clipping, exceeds the largest f32 number.
enum class OnNan : std::uint8_t {
  stop,    // throws Error if the loss is not finite; the gradient is checked only if it is clipped
  skip,    // leaves the parameters and the optimiser as they are, and counts the step as skipped
  rewind,  // goes back to the start of the epoch with half the learning rate, at most three times
};

}  // namespace gpuvae
