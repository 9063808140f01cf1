// What a trained VAE is worth: likelihood estimates, and how its latent code is used.
#pragma once

#include <functional>

#include "gpuvae/train.h"

namespace gpuvae {

// Images as the model sees them, in order: scaling and binarization of `data`, without its shuffle.
struct EvaluationOptions {
  BatchOptions data;
  std::uint64_t seed = 0;
  std::int64_t rows = 0;  // of the decoder at a time; 0: what suits the device
};

// The two terms of the negative ELBO, nats per image: sums over pixels and latent dimensions, mean over the
// images, one draw of z for each; loss is their sum.
[[nodiscard]] Losses evaluate_elbo(const Vae& model, const Dataset& images, const EvaluationOptions& options);

struct ImportanceEstimate {
  double nll = 0;                // nats per image
  double standard_error = 0;     // of nll, over the images
  double effective_samples = 0;  // mean over the images of (sum w)^2 / sum w^2
  double seconds = 0;
};
// The importance-weighted bound on -log p(x), -log (1 / K) sum over k of p(x | z_k) p(z_k) / q(z_k | x), with
// z_k from q(z | x): Burda, Grosse and Salakhutdinov, 2016. It is at most the negative ELBO in expectation,
// and falls towards -log p(x) as K grows. `progress` hears of finished images, the first after a small batch;
// noise is a function of (seed, image, k), not of batches.
[[nodiscard]] ImportanceEstimate importance_weighted_nll(
    const Vae& model, const Dataset& images, std::int64_t samples, const EvaluationOptions& options,
    const std::function<void(std::int64_t images_done, double seconds)>& progress = {});

struct LatentStatistics {
  std::vector<double> kl;  // [latent]: KL(q || N(0, 1)), nats, mean over the images; empty if unknown
  std::vector<double> mean_variance;  // [latent]: variance over the images of the posterior's mean
  int active_units = 0;               // dimensions with a mean_variance above 0.01 (Burda et al., 2016)
  // I(x; z) under q, nats: E log q(z | x) - E log q(z), with q(z) the mean of the images' posteriors (Hoffman
  // and Johnson, 2016), one z an image. At most log of the number of images. NaN if the posterior has no
  // aggregate.
  double mutual_information = 0;
  // How much the decoded mean moves over the images, and the images themselves: standard deviation of a
  // pixel, root mean square over the pixels.
  double decoded_stddev = 0, data_stddev = 0;
  // The decoder ignores z: what it puts out moves less than 2 % as much as the data.
  [[nodiscard]] bool collapsed() const { return !(decoded_stddev > 0.02 * data_stddev); }
};
// Over the first `most` images.
[[nodiscard]] LatentStatistics latent_statistics(const Vae& model, const Dataset& images,
                                                 const EvaluationOptions& options, std::int64_t most = 10000);

// Posterior means, or draws, of all images: [count, latent], on the host.
[[nodiscard]] Tensor encode_all(const Vae& model, const Dataset& images, const EvaluationOptions& options,
                                bool sample = false);

}  // namespace gpuvae
