// The measures of a trained model, for the command eval and for the report.
#pragma once

#include "apps/report/provenance.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

struct Evaluation {
  std::string set;
  std::int64_t images = 0, samples = 0;  // importance samples; 0: no estimate
  Losses elbo;
  LatentStatistics latent;
  std::optional<ImportanceEstimate> importance;
  RowScores rows;       // of each example, if they were asked for
  double observed = 1;  // share of the features that are not missing, which alone count in the losses
  double bits_per_dimension =
      0;  // per observed value, of the importance-weighted estimate if there is one, else of the ELBO; NaN if
          // some columns have densities and others have probabilities
};

// Evaluates the model on the first `images` (0: all) of the set named "train", "validation" or "test". With
// `importance_samples` above 0 it also estimates -log p(x) from that many draws of z per image. With
// `row_scores`, the result has the scores of each image.
Evaluation evaluate(const Session& session, const std::string& set = "validation", std::int64_t images = 0,
                    std::int64_t importance_samples = 0, bool row_scores = false);

// A mean over examples with its standard error.
struct MeanOverRows {
  double mean = 0, standard_error = 0;  // the standard error is NaN for one example
};
MeanOverRows mean_over_rows(const std::vector<double>& values);
// The mean number of observed features per example, by which bits per dimension divide.
double observed_features(const Session& session, const Evaluation& e);
// The name of the estimated quantity: "p(x)", or "p(x | y)" for a conditional model.
std::string density_name(const Session& session);
// What a conditional model's losses are, for the text and the page; empty for other models.
std::string condition_note(const Session& session);
// The half width of a 95 % interval in standard errors, for a normal distribution.
inline constexpr double kNormalInterval = 1.96;
// Whether some columns have densities and others have probabilities, whose sum has no bits per dimension.
bool mixes_densities(const Session& session);
// Says that the loss is no bound on log p(x) because of --noise-std; empty with a noise_std of 1.
std::string noise_note(const Session& session);
// The unit of a density: what became of the data's values before the model saw them.
std::string density_unit(const Session& session);
std::string evaluation_text(const Session& session, const Evaluation& e);
std::string evaluation_json(const Session& session, const Evaluation& e, const Provenance& provenance);

// A warning if the decoder ignores z; empty otherwise.
std::string collapse_warning(const LatentStatistics& latent);

}  // namespace gpuvae::apps
