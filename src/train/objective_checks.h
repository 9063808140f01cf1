// Checks of TrainOptions::objective before training.
#pragma once

#include "gpuvae/train.h"

namespace gpuvae {

// Throws Error if the settings do not fit together, or if a batch of draws does not fit into the memory of
// the model's device. Logs a warning if it needs more than 1 GiB.
void check_objective_options(const Vae& model, const TrainOptions& options);

// The approximate number of bytes that the draws of one batch need in a training step: the values of the
// decoder and their gradients.
[[nodiscard]] double draw_bytes(const VaeOptions& model, const TrainOptions& options);

}  // namespace gpuvae
