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

Evaluation evaluate(const Session& session, const Command& command);
std::string evaluation_text(const Session& session, const Evaluation& e);
std::string evaluation_json(const Session& session, const Evaluation& e);

// A line for people where the decoder ignores z; empty otherwise.
std::string collapse_warning(const LatentStatistics& latent);

}  // namespace gpuvae::apps
