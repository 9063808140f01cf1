#include "src/python/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "gpuvae/data.h"
#include "gpuvae/output_bias.h"
#include "kernels/check.h"
#include "src/python/interpreter.h"

namespace gpuvae::python {
namespace {

// The rows of a block. A call computes blocks of this size only, and fills the last one with zeros, because
// matrix products of other sizes round differently.
std::int64_t block_rows(Device device) { return device.is_cpu() ? 256 : 4096; }

// Returns `count` rows from `first` as f32 [block, columns] on the device, followed by zeros. Bytes are
// scaled to [0, 1].
Tensor block_of(const Tensor& rows, std::int64_t first, std::int64_t count, std::int64_t block,
                Device device) {
  const Tensor part = rows.slice(first, count).to(device);
  const Tensor values = part.dtype() == DType::f32
                            ? part
                            : gather_batch(part, count, {}, {.shuffle = false}, DType::f32, count).x;
  if (count == block) return values;
  const Tensor padded = Tensor::zeros({block, rows.shape()[1]}, DType::f32, device);
  padded.slice(0, count).copy_from(values);
  return padded;
}

Dataset dataset_of(const Tensor& rows, Device device) {
  Dataset set;
  set.height = 1;
  set.width = static_cast<int>(rows.shape()[1]);
  set.examples = rows;
  return set.to(device);
}

// Copies rows to the device. The copy outlives the arrays of the caller.
Dataset copied(const Tensor& rows, Device device) {
  return dataset_of(rows.device() == device ? rows.clone() : rows, device);
}

// A finaliser of 64 bits (Steele et al., "Fast splittable pseudorandom number generators", 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(std::span<const float> row) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = kStep;
  // Adding 0 gives both zeros the same bits.
  for (const float value : row) hash = mix(hash + kStep + std::bit_cast<std::uint32_t>(value + 0.0f));
  return hash;
}

// Returns the log of the mean of exp(values).
double log_mean_exp(std::span<const double> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  if (largest == -INFINITY) return largest;
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum / static_cast<double>(values.size()));
}

// Returns per row log p(x | z) + log p(z) - log q(z | x) at the draw, or the ELBO with the KL divergence in
// closed form if `closed_form` is true and there is one.
std::vector<float> bounds_of(const Vae& vae, const Tensor& x, const Variable& posterior_params,
                             const Draw& draw, bool closed_form) {
  const Posterior& posterior = vae.posterior();
  const DensitySample q = posterior.rsample_with_log_density(posterior_params, draw);
  const Variable reconstruction =
      vae.likelihood().log_density(vae.decode(q.z, vae.condition_of(x)), vae.features_of(x));
  if (closed_form && vae.prior().is_standard_normal())
    if (const Variable kl = posterior.kl_to_standard_normal(posterior_params); kl)
      return (reconstruction - sum(kl, Axis::columns)).value().to_vector();
  return (reconstruction + vae.prior().log_density(q.z) - q.log_density).value().to_vector();
}

// Throws the exception of a signal handler, or Error if the interpreter exits.
void go_on(SignalCheck& signals) {
  check(!signals(), unsupported("VAE"), "stopped, because the interpreter exits");
}

}  // namespace

std::vector<EpochResult> Model::train(const Tensor& rows, const Tensor& validation, const TrainingRun& run) {
  check(run.epochs >= 0, "fit", "expected epochs of 0 or more, got {}", run.epochs);
  check(rows.shape()[0] > 0, "fit", "expected at least one row, got none");
  const Device device = vae_.device();
  Optimizer optimizer(vae_.parameters(), run.optimizer);
  TrainOptions options = run.options;
  options.schedule = make_schedule(run.schedule, run.optimizer.learning_rate, run.epochs,
                                   steps_per_epoch(options, rows.shape()[0]));
  const Dataset train = exemplars_ ? copied(rows, device) : dataset_of(rows, device);
  if (run.output_bias) start_output_bias(vae_, train, options.data);
  Trainer trainer(vae_, optimizer, train, validation ? dataset_of(validation, device) : train.slice(0, 0),
                  options);
  if (exemplars_) exemplars_->set(train, options.data);
  if (run.stop) trainer.stop_when(run.stop);
  std::vector<EpochResult> epochs;
  while (trainer.epochs_done() < run.epochs && !trainer.patience_is_over()) {
    const int epoch = trainer.epochs_done() + 1;
    ProgressCallback progress;
    if (run.on_progress)
      progress = [&](std::int64_t images, const Losses& so_far) { run.on_progress(epoch, images, so_far); };
    const EpochResult result = trainer.run_epoch(progress);
    check(result.complete, unsupported("fit"), "stopped after {} steps, because the interpreter exits",
          trainer.steps_done());
    epochs.push_back(result);
    if (run.on_epoch && run.on_epoch(result)) break;
  }
  const bool best = options.patience > 0 && trainer.best().epoch > 0;
  trainer.load_weights(best ? ModelWeights::best : ModelWeights::evaluated);
  return epochs;
}

Tensor Model::map_rows(const Tensor& rows, std::int64_t columns,
                       const std::function<Variable(const Variable&)>& map) const {
  const NoGradGuard no_grad;
  const std::int64_t count = rows.shape()[0], block = block_rows(vae_.device());
  const Tensor result = Tensor::empty({count, columns}, DType::f32, rows.device());
  SignalCheck signals;
  for (std::int64_t first = 0; first < count; first += block) {
    go_on(signals);
    const std::int64_t part = std::min(block, count - first);
    const Tensor y = map(block_of(rows, first, part, block, vae_.device())).value();
    result.slice(first, part).copy_from(y.slice(0, part));
  }
  return result;
}

Tensor Model::encode(const Tensor& rows) const {
  return map_rows(rows, vae_.options().latent, [this](const Variable& x) { return vae_.encode_mean(x); });
}

Tensor Model::decode(const Tensor& z) const {
  const std::int64_t latent = vae_.options().latent, conditions = vae_.options().conditions;
  return map_rows(z, vae_.options().features, [=, this](const Variable& row) {
    if (conditions == 0) return vae_.decode_mean(row);
    return vae_.decode_mean(columns(row, 0, latent), columns(row, latent, conditions).value());
  });
}

Tensor Model::reconstruct(const Tensor& rows) const {
  return map_rows(rows, vae_.options().features, [this](const Variable& x) { return vae_.reconstruct(x); });
}

namespace {

// Returns the hash of each row.
std::vector<std::uint64_t> hashes_of(const Tensor& x) {
  const auto columns = static_cast<std::size_t>(x.shape()[1]);
  const std::vector<float> values = x.to_vector();
  std::vector<std::uint64_t> hashes;
  for (std::size_t at = 0; at < values.size(); at += columns)
    hashes.push_back(hash_of(std::span(values).subspan(at, columns)));
  return hashes;
}

// The noise of the draws first, ..., first + draws - 1 of each row, which follows from the row's values.
Draw draw_of(const std::vector<std::uint64_t>& hashes, std::int64_t first, std::int64_t draws,
             std::uint64_t seed, Device device) {
  std::vector<std::int32_t> noise;
  for (const std::uint64_t hash : hashes)
    for (std::int64_t k = first; k < first + draws; ++k)
      noise.push_back(static_cast<std::int32_t>(mix(hash + static_cast<std::uint64_t>(k))));
  Draw draw;
  draw.noise = {.seed = seed, .purpose = RandomPurpose::importance, .frozen = true};
  draw.noise.samples =
      Tensor::from(std::span<const std::int32_t>(noise), {static_cast<std::int64_t>(noise.size())}, device);
  return draw;
}

// (sum w)^2 / sum w^2, or 0 if all weights are 0.
double effective_samples(std::span<const double> log_weights) {
  const double largest = *std::max_element(log_weights.begin(), log_weights.end());
  if (largest == -INFINITY) return 0;
  double sum = 0, squares = 0;
  for (const double l : log_weights) {
    const double w = std::exp(l - largest);
    sum += w;
    squares += w * w;
  }
  return sum * sum / squares;
}

}  // namespace

std::vector<double> Model::score(const Tensor& rows, std::int64_t samples, std::uint64_t seed) const {
  check(samples >= 1, "score_samples", "expected 1 or more samples, got {}", samples);
  const NoGradGuard no_grad;
  const std::int64_t count = rows.shape()[0], block = block_rows(vae_.device());
  const Vae vae = vae_.for_evaluation();
  std::vector<double> scores;
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t part = std::min(block, count - first);
    const Tensor x = block_of(rows, first, part, block, vae.device());
    const auto weights = log_weights(vae, x, vae.encode(x).value(), samples, seed);
    for (std::int64_t i = 0; i < part; ++i)
      scores.push_back(log_mean_exp(weights[static_cast<std::size_t>(i)]));
  }
  return scores;
}

RowScores Model::scores(const Tensor& rows, std::int64_t samples, std::uint64_t seed) const {
  check(samples >= 1, "scores", "expected 1 or more samples, got {}", samples);
  const NoGradGuard no_grad;
  const std::int64_t count = rows.shape()[0], block = block_rows(vae_.device());
  const Vae vae = vae_.for_evaluation();
  RowScores all;
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t part = std::min(block, count - first);
    const Tensor x = block_of(rows, first, part, block, vae.device());
    const Tensor params = vae.encode(x).value();
    const auto weights = log_weights(vae, x, params, samples, seed);
    const DensitySample q =
        vae.posterior().rsample_with_log_density(params, draw_of(hashes_of(x), 0, 1, seed, vae.device()));
    const std::vector<float> log_p =
        vae.likelihood()
            .log_density(vae.decode(q.z, vae.condition_of(x)), vae.features_of(x))
            .value()
            .to_vector();
    const Variable closed =
        vae.prior().is_standard_normal() ? vae.posterior().kl_to_standard_normal(params) : Variable();
    const Variable kl = closed ? sum(closed, Axis::columns) : q.log_density - vae.prior().log_density(q.z);
    const std::vector<float> kl_of_row = kl.value().to_vector();
    for (std::size_t i = 0; i < static_cast<std::size_t>(part); ++i) {
      all.reconstruction.push_back(-static_cast<double>(log_p[i]));
      all.kl.push_back(kl_of_row[i]);
      all.elbo.push_back(-all.reconstruction.back() - all.kl.back());
      all.log_likelihood.push_back(log_mean_exp(weights[i]));
      all.effective_samples.push_back(effective_samples(weights[i]));
    }
  }
  return all;
}

// Returns the log weights of the draws of each row of x. The draws are decoded in pieces of this many per
// row, which limits the memory.
std::vector<std::vector<double>> Model::log_weights(const Vae& vae, const Tensor& x, const Tensor& params,
                                                    std::int64_t samples, std::uint64_t seed) const {
  constexpr std::int64_t kPiece = 4;
  const std::vector<std::uint64_t> hashes = hashes_of(x);
  std::vector<std::vector<double>> all(hashes.size());
  SignalCheck signals;
  for (std::int64_t done = 0; done < samples; done += kPiece) {
    go_on(signals);
    const std::int64_t draws = std::min(kPiece, samples - done);
    const std::vector<float> bounds =
        bounds_of(vae, repeat_rows(x, draws), repeat_rows(params, draws),
                  draw_of(hashes, done, draws, seed, vae.device()), samples == 1);
    for (std::size_t i = 0; i < bounds.size(); ++i)
      all[i / static_cast<std::size_t>(draws)].push_back(bounds[i]);
  }
  return all;
}

void Model::set_exemplars(const Tensor& rows, const BatchOptions& data, const TrainingData* trained_on) {
  constexpr const char* kOperation = "set_exemplars";
  check(exemplars_ != nullptr, kOperation, "expected a model with the prior exemplar, got {}",
        vae_.prior().name());
  if (trained_on) check_training_rows(*trained_on, dataset_of(rows, Device::cpu()), kOperation);
  exemplars_->set(copied(rows, vae_.device()), data);
}

Tensor Model::exemplars() const {
  const auto set = exemplars_ ? exemplars_->get() : nullptr;
  return set ? set->examples.examples.to(Device::cpu()) : Tensor();
}

void Model::set_parameter(const std::string& name, const Tensor& values) {
  for (const Parameter& p : vae_.parameters()) {
    if (p.name != name) continue;
    check(p.variable.shape() == values.shape(), "load", "expected {} of shape {}, got {}", name,
          p.variable.shape(), values.shape());
    p.variable.value().copy_from(values);
    return;
  }
  fail("load", "expected the name of a parameter, got {}", name);
}

void Model::save(const std::filesystem::path& path,
                 const std::map<std::string, std::string>& metadata) const {
  save_parameters(path, vae_.parameters(), metadata);
}

}  // namespace gpuvae::python
