#include "apps/run/session.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "apps/cli/command_line.h"
#include "apps/cli/settings.h"
#include "apps/run/metrics_file.h"
#include "apps/run/other_data.h"
#include "apps/run/progress.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kCheckpointFile = "checkpoint.safetensors";

Dataset first_images(const Dataset& set, std::int64_t count) {
  return count > 0 && count < set.count() ? set.slice(0, count) : set;
}

// The validation images: the test set, or the training images that --train-images leaves out.
Dataset validation_of(const Split& split, const RunConfig& c) {
  if (c.data.validation_set == "test") return first_images(split.test, c.data.validation_images);
  const std::int64_t used = c.data.train_images, rest = split.train.count() - used;
  if (used <= 0 || rest <= 0)
    throw Error("data", fmt::format("--validation-set rest expects --train-images below {}, got {}",
                                    split.train.count(), used));
  return first_images(split.train.slice(used, rest), c.data.validation_images);
}

RunConfig resolved(RunConfig c, const Dataset& train) {
  const bool bytes = train.examples.dtype() == DType::u8;
  DistributionSettings& d = c.distributions;
  if (d.likelihood == "auto") {
    d.likelihood = bytes ? "bernoulli" : "gaussian";
    d.gaussian.sigmoid_mean = bytes;
  }
  return c;
}

int epochs_of(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find("epochs");
  return found == metadata.end() ? -1 : std::atoi(found->second.c_str());
}

}  // namespace

Session::Session(const Program& program, const RunConfig& config)
    : program_(program), config_(config), folder_(config.out), device_(Device::parse(config.device)) {
  io::make_folder(folder_);
  Split split = config.data.path.empty() ? program.load(config_) : load_other_data(config);
  train_ = first_images(split.train, config.data.train_images).to(device_);
  validation_ = validation_of(split, config).to(device_);
  source_ = split.source;
  description_ = split.description;
  config_ = resolved(config_, train_);
  check_values(config_, train_);
  std::fprintf(stderr, "data    %s: %lld training and %lld validation %s\n", split.source.c_str(),
               static_cast<long long>(train_.count()), static_cast<long long>(validation_.count()),
               has_pictures() ? fmt::format("images of {}x{}", train_.height, train_.width).c_str()
                              : fmt::format("rows of {} columns", train_.width).c_str());
  VaeOptions options = config_.vae_options(train_.features());
  if (device_.is_cpu()) options.initializer.generator = InitGenerator::philox;  // see check_generator()
  model_ = std::make_unique<Vae>(options, device_);
  optimizer_ = std::make_unique<Optimizer>(model_->parameters(), config_.optimizer);
  trainer_ = std::make_unique<Trainer>(*model_, *optimizer_, train_, validation_,
                                       config_.train_options(train_.count()));
}

std::string Session::unit() const {
  return config_.training.pixel_mean ? "nats (pixel mean)" : has_pictures() ? "nats/image" : "nats/row";
}

EvaluationOptions Session::evaluation() const {
  EvaluationOptions o;
  o.data = config_.train_options(train_.count()).data;
  o.seed = config_.seed;
  return o;
}

Dataset Session::images(const std::string& set, std::int64_t most) const {
  return first_images(set == "train" || validation_.count() == 0 ? train_ : validation_, most);
}

void Session::announce() const {
  std::fprintf(stderr, "device  %s (%s)\n", device_.text().c_str(), device_.description().c_str());
  std::fprintf(stderr, "model   %lld parameters, %lld latent dimensions, preset %s, seed %llu\n",
               static_cast<long long>(model_->parameter_count()),
               static_cast<long long>(config_.model.latent), config_.preset.c_str(),
               static_cast<unsigned long long>(config_.seed));
  std::fprintf(stderr, "executor  %s\n", trainer_->executor().c_str());
  if (config_.training.pixel_mean)
    std::fprintf(stderr,
                 "loss    the reconstruction term is a mean over the pixels: the loss is not an ELBO\n");
}

// A model that cuRAND initialised can be used on the CPU once it is trained, but not start there.
void Session::check_generator() const {
  if (config_.model.initializer.generator == InitGenerator::curand && device_.is_cpu())
    throw Error("init", "expected a CUDA device for --init-generator curand, got " + device_.text());
}

void Session::train_or_reload(bool retrain) {
  announce();
  if (!retrain && reload()) return;
  const int done = retrain ? 0 : resume();
  if (done == 0) check_generator();
  if (done == 0) forget();
  io::write_file(folder_ / "config.toml", to_toml(config_, program_.name));
  train_from(done);
}

void Session::check_folder(const std::string& command) const {
  std::error_code ignored;
  const fs::path config_file = folder_ / "config.toml";
  if (!fs::exists(config_file, ignored)) return;
  const RunConfig held = read_config(config_file.string(), program_.name, program_.presets);
  if (const std::optional<Difference> d = first_difference(held, config_))
    throw Error(
        command,
        fmt::format("{0} holds a run with {1} {2}, got {1} {3}: give the same settings, or add --retrain",
                    folder_.string(), d->flag, d->a, d->b));
}

// Another run's weights must not pass for those of the configuration that is about to be written.
void Session::forget() const {
  std::error_code ignored;
  if (fs::exists(folder_ / kModelFile, ignored))
    std::fprintf(stderr, "note    %s holds another run, which this one replaces\n", folder_.c_str());
  for (const char* file : {kModelFile, kCheckpointFile}) fs::remove(folder_ / file, ignored);
}

// A finished run of this configuration. Weights that do not fit are an error: nothing is trained over them.
bool Session::reload() {
  std::error_code ignored;
  const fs::path config_file = folder_ / "config.toml", model_file = folder_ / kModelFile;
  if (!fs::exists(config_file, ignored) || !fs::exists(model_file, ignored)) return false;
  const RunConfig before = read_config(config_file.string(), program_.name, program_.presets);
  if (!same_training(before, config_) || before.epochs != config_.epochs) return false;
  const int epochs = epochs_of(load_parameters(model_file, model_->parameters()));
  if (epochs != config_.epochs) return false;
  history_.epochs = read_metrics(folder_ / "metrics.csv");
  std::fprintf(stderr, "loaded  %s, trained for %d epochs (--retrain trains from the start)\n",
               model_file.c_str(), epochs);
  return true;
}

// The epochs of a checkpoint of this configuration, loaded; 0 if there is none to go on from.
int Session::resume() {
  std::error_code ignored;
  const fs::path config_file = folder_ / "config.toml", checkpoint = folder_ / kCheckpointFile;
  if (!fs::exists(config_file, ignored) || !fs::exists(checkpoint, ignored)) return 0;
  if (!same_training(read_config(config_file.string(), program_.name, program_.presets), config_)) return 0;
  const int epochs = load_checkpoint(checkpoint, model_->parameters(), *optimizer_);
  if (epochs > config_.epochs) {  // a shorter run is another one: its weights are gone
    throw Error("resume",
                fmt::format("{} holds epoch {}, expected at most {}: add --retrain to train from the start",
                            checkpoint.string(), epochs, config_.epochs));
  }
  trainer_->resume_after(epochs);
  history_.epochs = read_metrics(folder_ / "metrics.csv");
  if (history_.epochs.size() > static_cast<std::size_t>(epochs)) history_.epochs.resize(epochs);
  std::fprintf(stderr, "resumed %s, after epoch %d of %d (--retrain trains from the start)\n",
               checkpoint.c_str(), epochs, config_.epochs);
  return epochs;
}

void Session::train_from(int done) {
  MetricsFile metrics(folder_ / "metrics.csv", config_.training.pixel_mean, history_.epochs);
  std::optional<StepLog> steps;
  if (config_.log_every > 0) steps.emplace(folder_ / "steps.csv", config_, done);
  Progress progress(config_.epochs, trainer_->images_per_epoch(), unit());
  auto saved = std::chrono::steady_clock::now();
  for (int epoch = done + 1; epoch <= config_.epochs; ++epoch) {
    const EpochResult r = run_epoch(epoch, progress, steps ? &*steps : nullptr);
    history_.epochs.push_back(r);
    metrics.append(r);
    save_model(epoch);
    const auto now = std::chrono::steady_clock::now();
    if (epoch == config_.epochs || now - saved > std::chrono::seconds(5)) {
      save_checkpoint(epoch);
      saved = now;
    }
    progress.finish_epoch(epoch_line(r, validation_.count() > 0, config_.training.beta));
  }
  if (config_.epochs == 0) save_model(0);
}

// A run that diverges leaves the model of the last good epoch.
EpochResult Session::run_epoch(int epoch, Progress& progress, StepLog* steps) {
  try {
    return trainer_->run_epoch([&](std::int64_t images, const Losses& so_far) {
      progress.update(epoch, images, so_far.loss);
      if (steps) steps->update(epoch, images, so_far);
    });
  } catch (const Error& error) {
    if (epoch == 1) throw;
    throw std::runtime_error(
        fmt::format("{}; {} holds epoch {}", error.what(), (folder_ / kModelFile).string(), epoch - 1));
  }
}

void Session::save_model(int epoch) const {
  save_parameters(folder_ / kModelFile, model_->parameters(),
                  {{"format", "gpuvae"}, {"preset", config_.preset}, {"epochs", std::to_string(epoch)}});
}

void Session::save_checkpoint(int epoch) const {
  gpuvae::save_checkpoint(folder_ / kCheckpointFile, model_->parameters(), *optimizer_, epoch);
}

}  // namespace gpuvae::apps
