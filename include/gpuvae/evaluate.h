// Evaluation of a trained VAE: likelihood estimates, and statistics of the latent code.
#pragma once

#include <functional>

#include "gpuvae/train.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// How the data are presented to the model. Examples keep their order, and `data` defines their binarization.
struct EvaluationOptions {
  BatchOptions data = {};  // `shuffle` is ignored
  std::uint64_t seed = 0;  // seed of the noise
  std::int64_t rows = 0;   // rows per pass of the decoder; 0 selects a number that suits the device
};

// Returns the two terms of the negative ELBO in nats per example, estimated with one draw of z per example.
// `loss` is their sum. Throws Error if the data do not fit the model.
[[nodiscard]] Losses evaluate_elbo(const Vae& model, const Dataset& images, const EvaluationOptions& options);

// The result of importance_weighted_nll.
struct ImportanceEstimate {
  double nll = 0;                // the bound, in nats per example
  double standard_error = 0;     // standard error of nll over the examples
  double effective_samples = 0;  // effective sample size: mean over the examples of (sum w)^2 / sum w^2
  double seconds = 0;            // wall-clock time
};
// Returns an estimate of the importance-weighted bound on -log p(x) in nats per example:
//   -log((1 / K) sum over k of p(x | z_k) p(z_k) / q(z_k | x)), where z_k is drawn from q(z | x)
// (Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016). Its expectation is at most the
// negative ELBO and decreases towards -log p(x) as K, the number of samples, grows. `progress` is called
// after each batch, with the number of finished examples. For a given K, the noise is a function of (seed,
// example, k).
[[nodiscard]] ImportanceEstimate importance_weighted_nll(
    const Vae& model, const Dataset& images, std::int64_t samples, const EvaluationOptions& options,
    const std::function<void(std::int64_t images_done, double seconds)>& progress = {});

// Scores of single examples, in nats: one number per example.
struct RowScores {
  std::vector<double> elbo;            // -(reconstruction + kl), with one draw of z
  std::vector<double> reconstruction;  // -log p(x | z) at this draw
  std::vector<double> kl;  // KL(q(z | x) || p(z)), or its estimate at the draw if no closed form is known
  // @{
  // Empty if no importance samples are drawn. The importance-weighted bound on log p(x), and its effective
  // sample size (sum w)^2 / sum w^2, which lies between 1 and the number of samples. If all weights are 0,
  // they are minus infinity and 0.
  std::vector<double> log_likelihood;
  std::vector<double> effective_samples;
  // @}
};
// Returns the scores of all examples, with `samples` importance samples per example; 0 makes no
// importance-weighted estimate. The means over the examples are the results of evaluate_elbo and
// importance_weighted_nll with the same options, except for rounding. `progress` is that of
// importance_weighted_nll.
[[nodiscard]] RowScores score_rows(
    const Vae& model, const Dataset& images, std::int64_t samples, const EvaluationOptions& options,
    const std::function<void(std::int64_t images_done, double seconds)>& progress = {});

// How a model uses its latent code.
struct LatentStatistics {
  // [latent]: KL(q || N(0, 1)) in nats, averaged over the examples. Empty if the prior is not N(0, I) or the
  // posterior has no closed-form KL divergence.
  std::vector<double> kl;
  std::vector<double> mean_variance;  // [latent]: variance over the examples of the posterior's mean
  int active_units = 0;               // dimensions with a mean_variance above 0.01 (Burda et al., 2016)
  // Mutual information I(x; z) under q in nats: E log q(z | x) - E log q(z), estimated with one draw of z per
  // example, where q(z) is the aggregated posterior of the examples (Hoffman and Johnson, "ELBO surgery",
  // 2016). It is at most the log of the number of examples, and NaN if Posterior::aggregate_log_density
  // returns an undefined variable.
  double mutual_information = 0;
  // The standard deviation of the decoded mean over the examples, averaged over the features.
  double decoded_stddev = 0;
  // The standard deviation of the data over the examples, averaged over the features.
  double data_stddev = 0;
  // Whether the model shows posterior collapse: the decoder's output varies by at most 2 % of the data's
  // variation (in standard deviations), so it ignores z.
  [[nodiscard]] bool collapsed() const { return !(decoded_stddev > 0.02 * data_stddev); }
};
// Computes the statistics over at most `most` examples, from the start of the data set.
[[nodiscard]] LatentStatistics latent_statistics(const Vae& model, const Dataset& images,
                                                 const EvaluationOptions& options, std::int64_t most = 10000);

// Returns the posterior means of all examples, or draws if `sample` is true: f32 [count, latent], on the CPU.
[[nodiscard]] Tensor encode_all(const Vae& model, const Dataset& images, const EvaluationOptions& options,
                                bool sample = false);

// Returns Vae::reconstruct of all examples: f32 [count, features], on the CPU.
[[nodiscard]] Tensor reconstruct_all(const Vae& model, const Dataset& images,
                                     const EvaluationOptions& options);

}  // namespace gpuvae
#pragma GCC visibility pop
