#include "gpuvae/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/check.h"

namespace gpuvae {
namespace {

// Returns options.rows or, if it is 0, a batch size that fits a CPU's cache or fills a GPU.
std::int64_t rows_for(const EvaluationOptions& options, const Vae& model) {
  if (options.rows > 0) return options.rows;
  return model.device().is_cpu() ? 1000 : 16384;
}

Tensor images_in_order(const Dataset& images, std::int64_t batch_size, std::int64_t batch,
                       const EvaluationOptions& options) {
  BatchOptions in_order = options.data;
  in_order.shuffle = false;
  const std::int64_t batches = (images.count() + batch_size - 1) / batch_size;
  const Clock clock{.step = static_cast<std::uint64_t>(batch),
                    .steps_per_epoch = static_cast<std::uint64_t>(batches)};
  return gather_batch(images, batch_size, clock, in_order).x;
}

void check_evaluated(const char* name, const Vae& model, const Dataset& images) {
  check(images.defined() && images.count() > 0, name, "expected images, got none");
  const std::int64_t columns = example_columns(model.options());
  check(images.features() == columns, name, "expected examples of {} features, got {}", columns,
        images.features());
}

// Calls each(x, index of the first image in x) for each batch.
template <class Each>
void for_batches(const Vae& model, const Dataset& images, const EvaluationOptions& options, Each each) {
  const std::int64_t batch = std::min(rows_for(options, model), images.count());
  for (std::int64_t first = 0; first < images.count(); first += batch)
    each(images_in_order(images, batch, first / batch, options), first);
}

Draw draw_at(std::uint64_t seed, RandomPurpose purpose, std::int64_t first) {
  Draw draw;
  draw.noise = {.seed = seed, .purpose = purpose, .frozen = true};
  draw.noise.first_sample = static_cast<std::uint32_t>(first);
  return draw;
}

// Sums exp(log_weight) and its square. Both sums are relative to the largest weight so far, to avoid
// overflow.
struct LogSum {
  double largest = -INFINITY, sum = 0, squares = 0;
  void add(double log_weight) {
    if (log_weight == -INFINITY) return;  // a weight of 0, without which `largest` may still be -INFINITY
    if (log_weight > largest) {
      const double shrink = std::exp(largest - log_weight);
      sum *= shrink;
      squares *= shrink * shrink;
      largest = log_weight;
    }
    const double w = std::exp(log_weight - largest);
    sum += w;
    squares += w * w;
  }
  double log_mean(std::int64_t n) const { return largest + std::log(sum / static_cast<double>(n)); }
  // (sum w)^2 / sum w^2, or 0 if all weights are 0.
  double effective_samples() const { return largest == -INFINITY ? 0 : sum * sum / squares; }
};

// Returns log p(x | z_k) + log p(z_k) - log q(z_k | x) for `samples` draws per image of x. Draws of the same
// image are consecutive.
std::vector<float> log_weights(const Vae& model, const Tensor& x, const Tensor& posterior_params,
                               std::int64_t samples, const Draw& draw) {
  const Variable repeated = repeat_rows(posterior_params, samples);
  const DensitySample q = model.posterior().rsample_with_log_density(repeated, draw);
  const Variable params = model.decode(q.z, model.condition_of(x));
  const Tensor features = model.features_of(x).value();
  const Tensor targets = model.likelihood().repeats_targets() ? features : repeat_rows(features, samples);
  const Variable likelihood = model.likelihood().log_density(params, targets);
  return (likelihood + model.prior().log_density(q.z) - q.log_density).value().to_vector();
}

ImportanceEstimate summarise(const std::vector<LogSum>& sums, std::int64_t samples, double seconds) {
  ImportanceEstimate result;
  const double n = static_cast<double>(sums.size());
  for (const LogSum& s : sums) {
    result.nll -= s.log_mean(samples) / n;
    result.effective_samples += s.effective_samples() / n;
  }
  double squares = 0;
  for (const LogSum& s : sums) squares += std::pow(-s.log_mean(samples) - result.nll, 2);
  result.standard_error = n > 1 ? std::sqrt(squares / (n - 1) / n) : NAN;
  result.seconds = seconds;
  return result;
}

}  // namespace

Losses evaluate_elbo(const Vae& evaluated, const Dataset& images, const EvaluationOptions& options) {
  check_evaluated("evaluate", evaluated, images);
  const NoGradGuard no_grad;
  const Vae model = evaluated.for_evaluation();
  double reconstruction = 0, kl = 0;
  for_batches(model, images, options, [&](const Tensor& x, std::int64_t first) {
    const Elbo elbo =
        model.negative_elbo(x, draw_at(options.seed, RandomPurpose::validation_noise, first), {});
    reconstruction += elbo.reconstruction.value().item();
    kl += elbo.kl.value().item();
  });
  const double n = static_cast<double>(images.count());
  return {(reconstruction + kl) / n, reconstruction / n, kl / n};
}

namespace {

using EvaluationProgress = std::function<void(std::int64_t, double)>;

void check_samples(const char* name, const Dataset& images, std::int64_t samples) {
  check(images.count() <= UINT32_MAX / samples, name,
        "expected fewer than 2^32 samples in total, got {} for each of {} images", samples, images.count());
}

// Returns the sums of the weights of each image.
std::vector<LogSum> importance_sums(const Vae& evaluated, const Dataset& images, std::int64_t samples,
                                    const EvaluationOptions& options, const EvaluationProgress& progress) {
  const Vae model = evaluated.for_evaluation();
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t rows = rows_for(options, model);
  const std::int64_t piece = std::min(samples, rows), batch = std::max<std::int64_t>(1, rows / samples);
  std::vector<LogSum> sums(static_cast<std::size_t>(images.count()));
  for (std::int64_t first = 0; first < images.count(); first += batch) {
    const Tensor x = images_in_order(images, batch, first / batch, options);
    const Tensor posterior_params = model.encode(x).value();
    for (std::int64_t done = 0; done < samples; done += piece) {
      const std::int64_t count = std::min(piece, samples - done);
      const Draw draw = draw_at(options.seed, RandomPurpose::importance, first * samples + done);
      const std::vector<float> weights = log_weights(model, x, posterior_params, count, draw);
      for (std::size_t i = 0; i < weights.size(); ++i) sums[first + i / count].add(weights[i]);
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (progress) progress(std::min(first + batch, images.count()), elapsed.count());
  }
  return sums;
}

void append_scaled(std::vector<double>& to, const Variable& column, double factor) {
  for (const float value : column.value().to_vector()) to.push_back(factor * static_cast<double>(value));
}

}  // namespace

ImportanceEstimate importance_weighted_nll(const Vae& model, const Dataset& images, std::int64_t samples,
                                           const EvaluationOptions& options,
                                           const EvaluationProgress& progress) {
  check_evaluated("importance_weighted_nll", model, images);
  check(samples > 0, "importance_weighted_nll", "expected 1 or more samples, got {}", samples);
  check_samples("importance_weighted_nll", images, samples);
  const NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  const std::vector<LogSum> sums = importance_sums(model, images, samples, options, progress);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return summarise(sums, samples, elapsed.count());
}

RowScores score_rows(const Vae& evaluated, const Dataset& images, std::int64_t samples,
                     const EvaluationOptions& options, const EvaluationProgress& progress) {
  check_evaluated("score_rows", evaluated, images);
  check(samples >= 0, "score_rows", "expected 0 or more samples, got {}", samples);
  if (samples > 0) check_samples("score_rows", images, samples);
  const NoGradGuard no_grad;
  RowScores scores;
  const Vae model = evaluated.for_evaluation();
  const Posterior& posterior = model.posterior();
  for_batches(model, images, options, [&](const Tensor& x, std::int64_t first) {
    const Variable params = model.encode(x);
    const DensitySample q = posterior.rsample_with_log_density(
        params, draw_at(options.seed, RandomPurpose::validation_noise, first));
    append_scaled(
        scores.reconstruction,
        model.likelihood().log_density(model.decode(q.z, model.condition_of(x)), model.features_of(x)), -1);
    const Variable kl =
        model.prior().is_standard_normal() ? posterior.kl_to_standard_normal(params) : Variable();
    append_scaled(scores.kl, kl ? sum(kl, Axis::columns) : q.log_density - model.prior().log_density(q.z), 1);
  });
  for (std::size_t i = 0; i < scores.kl.size(); ++i)
    scores.elbo.push_back(-scores.reconstruction[i] - scores.kl[i]);
  if (samples == 0) return scores;
  for (const LogSum& s : importance_sums(model, images, samples, options, progress)) {
    scores.log_likelihood.push_back(s.log_mean(samples));
    scores.effective_samples.push_back(s.effective_samples());
  }
  return scores;
}

namespace {

// Sums of the columns and of their squares over all rows, for means and variances. Missing values, which are
// NaN in the data, do not count.
struct Moments {
  std::vector<double> sum, squares, missing;
  double rows = 0;
  void add(const Tensor& t, bool has_missing = false) {
    const std::vector<float> values = t.to_vector();
    const auto columns = static_cast<std::size_t>(t.shape()[1]);
    sum.resize(columns), squares.resize(columns), missing.resize(columns);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (has_missing && std::isnan(values[i])) {
        ++missing[i % columns];
        continue;
      }
      sum[i % columns] += values[i];
      squares[i % columns] += double(values[i]) * values[i];
    }
    rows += static_cast<double>(t.shape()[0]);
  }
  double count(std::size_t i) const { return std::max(1.0, rows - missing[i]); }
  double mean(std::size_t i) const { return sum[i] / count(i); }
  double variance(std::size_t i) const { return std::max(0.0, squares[i] / count(i) - mean(i) * mean(i)); }
  double stddev() const {  // mean of the columns' standard deviations
    double total = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) total += std::sqrt(variance(i));
    return total / static_cast<double>(sum.size());
  }
};

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

}  // namespace

LatentStatistics latent_statistics(const Vae& model, const Dataset& all, const EvaluationOptions& options,
                                   std::int64_t most) {
  check_evaluated("latent_statistics", model, all);
  check(most > 0, "latent_statistics", "expected at least one example, got a limit of {}", most);
  const NoGradGuard no_grad;
  const Dataset images = all.slice(0, std::min(most, all.count()));
  const Posterior& posterior = model.posterior();
  Moments data, decoded, means, kl;
  std::vector<float> posterior_params;
  for_batches(model, images, options, [&](const Tensor& x, std::int64_t) {
    const Variable s = model.encode(x), mean = posterior.mean(s);
    data.add(model.features_of(x).value(), model.options().missing_values);
    means.add(mean.value());
    decoded.add(model.likelihood()
                    .mean_given(model.decode(mean, model.condition_of(x)), model.features_of(x))
                    .value());
    if (const Variable k = posterior.kl_to_standard_normal(s); k && model.prior().is_standard_normal())
      kl.add(k.value());
    const std::vector<float> host = s.value().to_vector();
    posterior_params.insert(posterior_params.end(), host.begin(), host.end());
  });
  LatentStatistics result;
  for (std::size_t d = 0; d < kl.sum.size(); ++d) result.kl.push_back(kl.mean(d));
  for (std::size_t d = 0; d < means.sum.size(); ++d) {
    result.mean_variance.push_back(means.variance(d));
    result.active_units += means.variance(d) > 0.01;
  }
  result.decoded_stddev = decoded.stddev();
  result.data_stddev = data.stddev();

  const auto width = static_cast<std::int64_t>(posterior_params.size()) / images.count();
  const Variable s = Tensor::from(posterior_params, {images.count(), width}, model.device());
  const DensitySample q =
      posterior.rsample_with_log_density(s, draw_at(options.seed, RandomPurpose::importance, 0));
  const Variable aggregate = posterior.aggregate_log_density(s, q.z);
  result.mutual_information =
      aggregate ? mean_of(q.log_density.value().to_vector()) - mean_of(aggregate.value().to_vector()) : NAN;
  return result;
}

Tensor encode_all(const Vae& model, const Dataset& images, const EvaluationOptions& options, bool sample) {
  check_evaluated("encode", model, images);
  const NoGradGuard no_grad;
  const std::int64_t latent = model.options().latent;
  std::vector<float> z;
  for_batches(model, images, options, [&](const Tensor& x, std::int64_t first) {
    const Draw draw = draw_at(options.seed, RandomPurpose::validation_noise, first);
    const Variable batch = sample ? model.encode_sample(x, draw) : model.encode_mean(x);
    const std::vector<float> host = batch.value().to_vector();
    z.insert(z.end(), host.begin(), host.end());
  });
  return Tensor::from(z, {images.count(), latent});
}

Tensor reconstruct_all(const Vae& model, const Dataset& images, const EvaluationOptions& options) {
  check_evaluated("reconstruct", model, images);
  const NoGradGuard no_grad;
  std::vector<float> all;
  for_batches(model, images, options, [&](const Tensor& x, std::int64_t) {
    const std::vector<float> host = model.reconstruct(x).value().to_vector();
    all.insert(all.end(), host.begin(), host.end());
  });
  return Tensor::from(all, {images.count(), model.options().features});
}

}  // namespace gpuvae
