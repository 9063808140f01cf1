// How a session finds out what its folder holds, and continues from there.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "apps/cli/config_file.h"
#include "apps/run/ranks.h"
#include "apps/run/run_files.h"
#include "apps/run/session.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"
#include "src/train/objective_checks.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

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

// The rows of metrics.csv that a checkpoint keeps; none if it is missing or damaged.
std::vector<EpochResult> rows_of_checkpoint(const fs::path& file) try {
  if (!is_there(file)) return {};
  const auto metadata = io::read_safetensors_metadata(file);
  const auto found = metadata.find(kMetricsKey);
  return found == metadata.end() ? std::vector<EpochResult>{} : rows_of_text(found->second, file.string());
} catch (const Error&) {
  return {};
}

std::string own_processes() { return std::to_string(communicator() ? communicator()->size() : 1); }

// The position of the last row of steps.csv. A run that has written no steps.csv so far continues at the end
// of its last epoch.
StepLog::Position log_position_of(const std::map<std::string, std::string>& metadata, int epochs) {
  if (!metadata.contains("log_epoch")) return {.epoch = epochs, .images = INT64_MAX, .so_far = {}};
  StepLog::Position position;
  position.epoch = number_of<int>(metadata, "log_epoch");
  position.images = number_of<std::int64_t>(metadata, "log_images");
  position.so_far.reconstruction = number_of<double>(metadata, "log_reconstruction");
  position.so_far.kl = number_of<double>(metadata, "log_kl");
  position.so_far.loss = number_of<double>(metadata, "log_loss");
  return position;
}

// Says how much memory the draws of a step need: "100 x 50 draws, about 31 MiB".
std::string draws_text(const Vae& model, const TrainOptions& options) {
  return fmt::format("{} x {} draws, about {:.0f} MiB", options.batch_size, options.objective.draws(),
                     std::ceil(draw_bytes(model.options(), options) / (1 << 20)));
}

// Returns the flags that differ from the preset but have no effect with the other settings, each with the
// reason.
std::vector<std::string> ignored_flags(const RunConfig& c, const RunConfig& preset) {
  std::vector<std::string> ignored;
  const TrainOptions &t = c.training, &of_preset = preset.training;
  if (t.objective.mix != of_preset.objective.mix && t.objective.kind != ObjectiveKind::ciwae)
    ignored.emplace_back("--objective-mix, which only --objective ciwae uses");
  if (c.distributions.prior_components != preset.distributions.prior_components &&
      c.distributions.prior == "normal")
    ignored.emplace_back("--prior-components, which only --prior mixture, vamp and exemplar use");
  if (t.average.form != of_preset.average.form && t.average.decay == 0)
    ignored.emplace_back("--ema-form, which only --ema uses");
  if (c.model.activation != preset.model.activation && c.model.gated)
    ignored.emplace_back("--activation, which layers of --gated do not have");
  return ignored;
}

}  // namespace

// The trainer's moving average starts at the weights that the model has here. A run that is loaded or
// continued then replaces both.
void Session::make_trainer() {
  set_output_bias();
  optimizer_ = std::make_unique<Optimizer>(model_->parameters(), config_.optimizer);
  TrainOptions options = config_.train_options(train_.count());
  options.communicator = communicator_on(device_);
  trainer_ = std::make_unique<Trainer>(*model_, *optimizer_, train_, validation_, options);
}

void Session::train_or_reload(const Command& command) {
  if (is_follower()) return follow();
  lock_.emplace(folder_);
  remove_partial_files(folder_);
  check_no_foreign_files(folder_, command.name);
  load_data();
  check_agreement();
  build_model();
  make_trainer();
  announce();
  processes_ = own_processes();
  const std::optional<HeldRun> held = command.retrain ? std::nullopt : held_run();
  if (held) check_held(command.name, *held);
  if (held && reload(command.name)) {
    announce_start(false);
    return keep_description();
  }
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
  std::fprintf(stderr, "model   %s, %s, preset %s, seed %llu\n",
               counted(model_->parameter_count(), "parameter").c_str(),
               counted(config_.model.latent, "latent dimension").c_str(), config_.preset.c_str(),
               static_cast<unsigned long long>(config_.seed));
  std::fprintf(stderr, "executor  %s\n", trainer_->executor().c_str());
  const auto preset = std::ranges::find(program_.presets, config_.preset, &Preset::name);
  if (preset != program_.presets.end())
    for (const std::string& flag : ignored_flags(config_, preset->config))
      std::fprintf(stderr, "note    ignored %s\n", flag.c_str());
  if (!config_.training.objective.is_default())
    std::fprintf(stderr, "objective  %s; %s per step\n", objective_text(config_.training.objective).c_str(),
                 draws_text(*model_, config_.training).c_str());
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
  const fs::path file = folder_ / kModelFile;
  if (!is_there(file)) return false;
  const auto metadata = io::read_safetensors_metadata(file);
  const int epochs = epochs_of(metadata);
  const bool taken = is_finished(metadata, config_.epochs) || (epochs < 0 && command != "train");
  if (!taken) return false;
  load_parameters(file, model_->parameters());
  processes_ = processes_of(metadata);
  best_epoch_ = best_epoch_of(metadata);
  history_.epochs = read_history(epochs < 0 ? config_.epochs : epochs);
  const fs::path metrics = folder_ / kMetricsFile;
  if (!history_.epochs.empty() && (!is_there(metrics) || read_metrics(metrics).empty()))
    MetricsFile(metrics, config_.training, history_.epochs);
  std::fprintf(stderr, "loaded  %s, trained for %s (--retrain trains from the start)\n", file.c_str(),
               counted(epochs < 0 ? config_.epochs : epochs, "epoch").c_str());
  return true;
}

// The losses of the first epochs: those of metrics.csv or, if the file lacks some of them, those that the
// last checkpoint keeps. A file with a damaged row is not replaced, because somebody may need its content.
std::vector<EpochResult> Session::read_history(int epochs) const {
  const fs::path file = folder_ / kMetricsFile;
  const auto count = static_cast<std::size_t>(epochs);
  const auto is_whole = [&](const std::vector<EpochResult>& rows) {
    for (std::size_t i = 0; i < count; ++i)
      if (i >= rows.size() || rows[i].epoch != static_cast<int>(i) + 1) return false;
    return true;
  };
  const bool missing = !is_there(file);
  std::vector<EpochResult> rows;
  if (!missing) rows = read_metrics(file);
  const std::size_t found = rows.size();
  fs::path source;
  for (const char* name : {kCheckpointFile, kEarlierCheckpointFile}) {
    if (is_whole(rows)) break;
    std::vector<EpochResult> saved = rows_of_checkpoint(folder_ / name);
    if (!is_whole(saved)) continue;
    rows = std::move(saved);
    source = folder_ / name;
  }
  if (is_whole(rows)) rows.resize(count);
  std::erase_if(rows, [&](const EpochResult& r) { return r.epoch > epochs; });
  if (rows.size() < count || !source.empty())
    std::fprintf(
        stderr, "note    %s %s: %s\n", file.c_str(),
        missing ? "is missing" : fmt::format("has {} of {}", found, counted(epochs, "epoch")).c_str(),
        source.empty() ? "no checkpoint has the missing rows, which the curves lack"
                       : ("its rows were restored from " + source.string()).c_str());
  return rows;
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
    check_same_run("train",
                   {config_of_texts(run->settings, checkpoint.string(), program_.name, program_.presets),
                    run->data.fingerprint, std::nullopt});
  const TrainingState state = restore_checkpoint(checkpoint, model_->parameters(), *optimizer_);
  const int begun = state.epochs + (state.steps > 0 ? 1 : 0);
  if (begun > config_.epochs)  // the weights after fewer epochs are gone
    throw Error("resume",
                fmt::format("{} holds epoch {}, expected at most {}: add --retrain to train from the start",
                            checkpoint.string(), begun, config_.epochs));
  trainer_->resume(state);
  resumed_from_ = checkpoint;
  const std::string before = processes_of(metadata);
  const bool changed = before != processes_ && !before.ends_with("," + processes_);
  processes_ = changed ? before + "," + processes_ : before;
  log_position_ = log_position_of(metadata, state.epochs);
  history_.epochs = read_history(state.epochs);
  std::fprintf(
      stderr, "resumed %s, after epoch %d of %d%s (--retrain trains from the start)\n", checkpoint.c_str(),
      state.epochs, config_.epochs,
      state.steps > 0 ? (" and " + counted(static_cast<std::int64_t>(state.steps), "step")).c_str() : "");
  return state;
}

}  // namespace gpuvae::apps
