// The eval command: what a trained model is worth, on the terminal and as eval.json.
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

struct Evaluation {
  std::string set;
  std::int64_t images = 0, samples = 0;  // importance samples; 0: no estimate
  Losses elbo;
  LatentStatistics latent;
  std::optional<ImportanceEstimate> importance;
  double bits_per_dimension = 0;  // of the best bound there is
};

// Of the set named "train" or "validation": of its first `images` (0: all), with `importance_samples` draws
// of z per image for the importance-weighted estimate of -log p(x) (0: no estimate).
Evaluation evaluate(const Session& session, const std::string& set = "validation", std::int64_t images = 0,
                    std::int64_t importance_samples = 0);
std::string evaluation_text(const Session& session, const Evaluation& e);
std::string evaluation_json(const Session& session, const Evaluation& e);

// A line for people where the decoder ignores z; empty otherwise.
std::string collapse_warning(const LatentStatistics& latent);

}  // namespace gpuvae::apps
