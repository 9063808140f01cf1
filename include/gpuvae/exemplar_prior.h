// The exemplar prior: a mixture of Gaussians around the codes of the training examples.
#pragma once

#include "gpuvae/data.h"
#include "gpuvae/distributions.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Settings of exemplar_prior().
struct ExemplarOptions {
  // The number of exemplars in a training step, a new random subset for each step. Each is encoded with its
  // gradient, so that a step costs about exemplars / batch size more encoder passes.
  std::int64_t per_step = 500;
  BatchOptions data = {};  // how exemplars become examples: binarization, and the seed of the subsets
};
// The exemplar prior (Norouzi, Fleet and Norouzi, "Exemplar VAE", 2020): the mixture, with equal weights, of
// N(mean of q(z | x_n), s^2 I) over the examples x_n of `exemplars`, with one learned s. In a training step,
// the draws of an example leave this example out, if it is among the step's exemplars; this requires that
// `exemplars` are the training set, in its order. Outside training, all exemplars count, and each call
// encodes them all, except with the prior of Vae::for_evaluation(), which the functions of gpuvae/evaluate.h
// use. Throws Error for examples that are read from a source, and for fewer than 2 examples or
// exemplars per step.
[[nodiscard]] std::shared_ptr<Prior> exemplar_prior(const Dataset& exemplars,
                                                    const ExemplarOptions& options = {});

}  // namespace gpuvae
#pragma GCC visibility pop
