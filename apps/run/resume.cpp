// How a session finds out what its folder holds, and continues from there.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "apps/cli/config_file.h"
#include "apps/run/session.h"
#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Whether the file is complete and matches its checksum. Prints a warning if not.
bool is_sound(const fs::path& checkpoint) try {
  static_cast<void>(io::read_safetensors(checkpoint));
  return true;
} catch (const Error& error) {
  std::fprintf(stderr, "warning %s\n", error.what());
  return false;
}

// Returns 0 if the metadata have no such number.
template <class T>
T number_of(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  T value = 0;
  if (found != metadata.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

// The position of the last row of steps.csv. A run that has written no steps.csv so far continues at the end
// of its last epoch.
StepLog::Position log_position_of(const std::map<std::string, std::string>& metadata, int epochs) {
  if (!metadata.contains("log_epoch")) return {.epoch = epochs, .images = INT64_MAX, .so_far = {}};
  StepLog::Position position;
  position.epoch = number_of<int>(metadata, "log_epoch");
  position.images = number_of<std::int64_t>(metadata, "log_images");
  position.so_far.reconstruction = number_of<double>(metadata, "log_reconstruction");
  position.so_far.kl = number_of<double>(metadata, "log_kl");
  return position;
}

}  // namespace

std::optional<Session::HeldRun> Session::held_run() const {
  const auto described = [&](const char* name) -> std::optional<HeldRun> {
    const fs::path file = folder_ / name;
    if (!is_there(file)) return std::nullopt;
    const std::optional<RunDescription> run = read_description(file, program_.name);
    if (!run) return std::nullopt;
    return HeldRun{config_of_texts(run->settings, file.string(), program_.name, program_.presets), run->data};
  };
  // A damaged checkpoint is ignored here. resume() reports it and uses the checkpoint before it.
  const auto described_if_sound = [&](const char* name) -> std::optional<HeldRun> {
    try {
      return described(name);
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  std::optional<HeldRun> held = described(kModelFile);
  if (!held) held = described_if_sound(kCheckpointFile);
  if (!held) held = described_if_sound(kEarlierCheckpointFile);
  const fs::path config = folder_ / kConfigFile;
  if (!is_there(config)) return held;
  RunConfig of_file = read_config(config.string(), program_.name, program_.presets);
  return held ? held : HeldRun{std::move(of_file), std::nullopt};
}

void Session::train_or_reload(const Command& command) {
  lock_.emplace(folder_);
  remove_partial_files(folder_);
  check_no_foreign_files(folder_, command.name);
  load_data();
  build_model();
  optimizer_ = std::make_unique<Optimizer>(model_->parameters(), config_.optimizer);
  trainer_ = std::make_unique<Trainer>(*model_, *optimizer_, train_, validation_,
                                       config_.train_options(train_.count()));
  announce();
  const std::optional<HeldRun> held = command.retrain ? std::nullopt : held_run();
  if (held) check_same_run(command.name, *held);
  if (held && reload(command.name)) return;
  TrainingState start;
  if (held) start = resume();
  const bool fresh = start.epochs == 0 && start.steps == 0;
  if (fresh && command.resume)
    throw Error("resume", fmt::format("{}: expected a checkpoint to continue from, but nothing is saved yet",
                                      folder_.string()));
  if (fresh) check_generator();
  if (fresh && held)
    std::fprintf(stderr, "note    nothing is saved yet in %s: the run starts from the beginning\n",
                 folder_.c_str());
  replaces_ = command.retrain && holds_run(folder_);
  train_from(start);
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

// cuRAND initialises a model only on a CUDA device. Once such a model is trained, the CPU can use it.
void Session::check_generator() const {
  if (config_.model.initializer.generator == InitGenerator::curand && device_.is_cpu())
    throw Error("init", "expected a CUDA device for --init-generator curand, got " + device_.text());
}

// Loads the finished run of this configuration. Returns false if there is none. A model that another program
// rewrote without metadata does not say for how many epochs it was trained; a command other than train uses
// it as it is.
bool Session::reload(const std::string& command) {
  const fs::path file = folder_ / kModelFile, metrics = folder_ / kMetricsFile;
  if (!is_there(file)) return false;
  const int epochs = epochs_of(io::read_safetensors_metadata(file));
  const bool taken = epochs == config_.epochs || (epochs < 0 && command != "train");
  if (!taken) return false;
  load_parameters(file, model_->parameters());
  if (is_there(metrics))
    history_.epochs = read_metrics(metrics);
  else
    std::fprintf(stderr, "note    %s is missing: the report has no curves\n", metrics.c_str());
  std::fprintf(stderr, "loaded  %s, trained for %d epochs (--retrain trains from the start)\n", file.c_str(),
               epochs < 0 ? config_.epochs : epochs);
  return true;
}

// Throws Error if another program changed the model. Training continues from the checkpoint and would discard
// this change.
void Session::check_unchanged_model() const {
  const fs::path file = folder_ / kModelFile;
  if (!is_there(file)) return;
  const auto metadata = io::read_safetensors_metadata(file);
  const bool older = metadata.contains("epochs") && !metadata.contains("format_version");
  check(older || metadata.contains(io::kChecksumKey), file_error("resume"),
        "{} was changed by another program, and training would continue from {} without that change: move "
        "one of them "
        "away, or add --retrain",
        file.string(), (folder_ / kCheckpointFile).string());
}

TrainingState Session::resume() {
  const fs::path last = folder_ / kCheckpointFile, earlier = folder_ / kEarlierCheckpointFile;
  if (!is_there(last) && !is_there(earlier)) {
    check(!is_there(folder_ / kModelFile), file_error("resume"),
          "{} has a model of another number of epochs, and no checkpoint to continue from: add --retrain to "
          "train from "
          "the start",
          folder_.string());
    return {};
  }
  check_unchanged_model();
  if (!is_there(earlier) || (is_there(last) && is_sound(last))) return continue_from(last);
  std::fprintf(stderr, "warning continuing from the checkpoint before it, %s\n", earlier.c_str());
  return continue_from(earlier);
}

TrainingState Session::continue_from(const fs::path& checkpoint) {
  const auto metadata = io::read_safetensors_metadata(checkpoint);
  const std::optional<RunDescription> run = read_description(checkpoint, program_.name);
  if (run)
    check_same_run(
        "train",
        {config_of_texts(run->settings, checkpoint.string(), program_.name, program_.presets), run->data});
  const TrainingState state = restore_checkpoint(checkpoint, model_->parameters(), *optimizer_);
  const int begun = state.epochs + (state.steps > 0 ? 1 : 0);
  if (begun > config_.epochs)  // the weights after fewer epochs are gone
    throw Error("resume",
                fmt::format("{} holds epoch {}, expected at most {}: add --retrain to train from the start",
                            checkpoint.string(), begun, config_.epochs));
  trainer_->resume(state);
  log_position_ = log_position_of(metadata, state.epochs);
  const fs::path metrics = folder_ / kMetricsFile;
  if (state.epochs > 0) history_.epochs = read_metrics(metrics);
  const auto epochs = static_cast<std::size_t>(state.epochs);
  check(history_.epochs.size() >= epochs, file_error("read"), "{}: expected {} epochs, got {}",
        metrics.string(), epochs, history_.epochs.size());
  history_.epochs.resize(epochs);
  std::fprintf(stderr, "resumed %s, after epoch %d of %d%s (--retrain trains from the start)\n",
               checkpoint.c_str(), state.epochs, config_.epochs,
               state.steps > 0 ? fmt::format(" and {} steps", state.steps).c_str() : "");
  return state;
}

}  // namespace gpuvae::apps
