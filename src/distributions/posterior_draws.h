// Parts of Posterior::rsample_draws.
#pragma once

#include "gpuvae/distributions.h"

namespace gpuvae {

// Posterior parameters and noise with one row per draw.
struct RepeatedRows {
  Variable params;
  Draw draw;
};
// Repeats the rows of posterior_params for several draws, and draws their epsilon.
RepeatedRows repeated_rows(const Variable& posterior_params, const Draw& draw, const DrawSettings& settings);

// Returns the result of rsample_draws for draws and their log density, whose gradients are those of
// EncoderGradient::total or, for the other two estimators, of EncoderGradient::path. `draw` is the argument
// of rsample_draws.
PosteriorDraws draws_of(DensitySample q, const Draw& draw, const Prior& prior, const DrawSettings& settings);

}  // namespace gpuvae
