// How a session trains, and what it writes while it does.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "apps/cli/config_file.h"
#include "apps/run/other_data.h"
#include "apps/run/progress.h"
#include "apps/run/ranks.h"
#include "apps/run/run_files.h"
#include "apps/run/session.h"
#include "apps/run/stop_signals.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {

namespace fs = std::filesystem;

// Decides when the next checkpoint is due (--checkpoint-every).
class CheckpointTimer {
 public:
  // `has_checkpoint` says whether the run already has a checkpoint. If not, it saves one after its first
  // epoch.
  CheckpointTimer(const std::string& interval, bool has_checkpoint)
      : interval_(parse_checkpoint_interval(interval).value_or(CheckpointInterval{.seconds = 30})),
        has_checkpoint_(has_checkpoint) {}

  // Whether enough time has passed for a checkpoint within an epoch.
  bool time_is_up() const {
    return interval_.seconds > 0 &&
           std::chrono::duration<double>(Clock::now() - saved_).count() >= interval_.seconds;
  }
  bool is_due() const { return time_is_up() || (interval_.epochs > 0 && epochs_ >= interval_.epochs); }
  // Whether the run has finished an epoch and has no checkpoint at all.
  bool is_missing() const { return !has_checkpoint_ && epochs_ > 0; }
  void finished_epoch() { ++epochs_; }
  void saved() {
    saved_ = Clock::now();
    epochs_ = 0;
    has_checkpoint_ = true;
  }

 private:
  using Clock = std::chrono::steady_clock;

  CheckpointInterval interval_;
  bool has_checkpoint_;
  Clock::time_point saved_ = Clock::now();
  int epochs_ = 0;  // since the last checkpoint
};

namespace {

// The number of epochs of the folder's model; 0 if there is none.
int saved_epochs(const fs::path& folder) {
  std::error_code ignored;
  const fs::path file = folder / kModelFile;
  return fs::exists(file, ignored) ? epochs_of(io::read_safetensors_metadata(file)) : 0;
}

// Removes the evaluation of a model that an epoch is about to replace. The command eval makes it again.
void remove_evaluation(const fs::path& folder) {
  for (const char* name : {"eval.json", "eval.html"}) {
    const fs::path file = folder / name;
    std::error_code ignored;
    if (is_there(file) && is_own_file(file) && fs::remove(file, ignored))
      std::fprintf(stderr, "note    removed %s, which evaluated the model before this training\n",
                   file.c_str());
  }
}

}  // namespace

void Session::train_from(const TrainingState& start) {
  const bool fresh = start.epochs == 0 && start.steps == 0;
  announce_start(true);
  if (fresh && !replaces_) begin_files();
  // Losses of bytes are usually compared in bits per dimension.
  const bool bits = config_.distributions.likelihood == "logistic-256" && !config_.training.pixel_mean;
  metrics_.emplace(folder_ / kMetricsFile, config_.training, history_.epochs, replaces_,
                   bits ? model_->options().features : 0);
  if (config_.log_every > 0) steps_.emplace(folder_ / kStepsFile, config_, log_position_, replaces_);
  if (start.steps == 0 && start.epochs > saved_epochs(folder_))
    save_model(start.epochs, Durability::process_end);
  if (!fresh) save_best(Durability::process_end);
  Progress progress(config_.epochs, trainer_->images_per_epoch(), unit());
  const StopSignals signals;
  CheckpointTimer timer(config_.checkpoint_every, !fresh);
  // A run with rewinds saves checkpoints between epochs only, where it would go back to. Killed and
  // continued, it then goes back to the same states as without the kill.
  const bool rewinds = config_.training.on_nan == OnNan::rewind;
  trainer_->stop_when(
      [&] { return StopSignals::received() != 0 || (!replaces_ && !rewinds && timer.time_is_up()); });
  trainer_->on_rewind([&](const Rewind& r) { rewind(r); });
  rewind_log_position_ = log_position_;
  try {
    while (!has_ended()) train_epoch(progress, timer);
  } catch (const Error& error) {
    fail_training(error);
  }
  trainer_->stop_when({});
  if (config_.epochs > 0) return finish_training();
  begin_files();
  save_checkpoint(Durability::power_loss);
  save_model(0, Durability::power_loss);
}

// Trains to the end of the epoch, or until a checkpoint is due or a signal arrives. The checkpoint is written
// before the model: a run that is killed in between continues from the checkpoint, and then writes the model.
// Only checkpoints that are due, and the model and metrics that belong to them, wait for the disk.
void Session::train_epoch(Progress& progress, CheckpointTimer& timer) {
  const EpochResult r = run_epoch(progress);
  if (r.complete) {
    history_.epochs.push_back(r);
    begin_files();
    metrics_->append(r);
    timer.finished_epoch();
  }
  const int signal = largest_of_ranks(StopSignals::received());
  const bool last = has_ended(), stopped = signal != 0;
  const bool due = last || stopped || timer.is_due();
  const Durability durability = due ? Durability::power_loss : Durability::process_end;
  if (!replaces_ && (due || timer.is_missing())) {
    begin_files();
    if (due) metrics_->sync();
    save_checkpoint(durability);
    timer.saved();
  }
  if (r.complete) {
    remove_evaluation(folder_);
    save_model(r.epoch, durability);
    if (r.best) save_best(durability);
    progress.finish_epoch(epoch_line(r, validation_.count() > 0, config_.training));
    say_skipped(r);
    if (steps_) rewind_log_position_ = steps_->position();
  }
  if (stopped) stop(signal);
}

EpochResult Session::run_epoch(Progress& progress) {
  const int epoch = trainer_->epochs_done() + 1;
  return trainer_->run_epoch([&](std::int64_t images, const Losses& so_far) {
    progress.update(epoch, images, so_far.loss);
    if (steps_) steps_->update(epoch, images, so_far);
  });
}

// If the run diverges, the model of the last good epoch stays in the folder. If the device fails, the
// checkpoint stays as well.
void Session::fail_training(const Error& error) const {
  std::string text = error.what();
  if (error.kind() == ErrorKind::cuda) {
    // The trainer names the device and the step. Other failures happen while a checkpoint or model is saved.
    if (!text.starts_with(fmt::format("[train] {} failed", device_.text())))
      text = fmt::format("[train] {} failed after step {}: {}", device_.text(), trainer_->steps_done(), text);
    text += where_it_continues();
  }
  if (error.kind() == ErrorKind::not_finite) {
    const std::string advice = scaling_advice(facts_.description, config_);
    if (!advice.empty()) text += "; " + advice;
    if (!history_.epochs.empty())
      text +=
          fmt::format("; {} holds epoch {}", (folder_ / kModelFile).string(), history_.epochs.back().epoch);
    if (config_.training.on_nan == OnNan::stop && text.starts_with("[train]"))
      text += " (--on-nan skip or rewind continues after such steps)";
  }
  throw std::runtime_error(text);
}

std::string Session::where_it_continues() const {
  std::error_code ignored;
  const fs::path file = folder_ / kCheckpointFile;
  if (replaces_)
    return fmt::format("; nothing of the new run is saved yet, and {} still holds the previous run",
                       folder_.string());
  if (!fs::exists(file, ignored)) return fmt::format("; nothing is saved yet in {}", folder_.string());
  return fmt::format("; the same command continues from {}", file.string());
}

void Session::say_skipped(const EpochResult& r) const {
  if (r.skipped == 0) return;
  std::fprintf(stderr,
               "warning %llu of %s of epoch %d skipped, because the loss or the gradient is not finite\n",
               static_cast<unsigned long long>(r.skipped),
               counted(trainer_->steps_per_epoch(), "step").c_str(), r.epoch);
}

// Says why the run goes back, and removes the rows of steps.csv that it will write again.
void Session::rewind(const Rewind& r) {
  const std::string steps =
      r.state.steps > 0 ? " and " + counted(static_cast<std::int64_t>(r.state.steps), "step") : "";
  const std::string where = r.state.epochs == 0 && r.state.steps == 0
                                ? "the start of the run"
                                : fmt::format("the state after epoch {}{}", r.state.epochs, steps);
  std::fprintf(stderr, "warning %s: going back to %s with learning rate %g (rewind %d of %d)\n",
               r.reason.c_str(), where.c_str(), r.learning_rate, r.number, kMaxRewinds);
  if (config_.log_every > 0) steps_.emplace(folder_ / kStepsFile, config_, rewind_log_position_, replaces_);
}

// Moves away the run that this run replaces, before this run writes its first file. The first file is
// config.toml, because it marks the folder as that of a run.
void Session::begin_files() {
  if (config_written_) return;
  if (replaces_) move_to_previous(folder_);
  // Without the fingerprint, an older version's folder stays recognisable: its pictures have no marks.
  const bool older = is_of_older_version(folder_);
  io::write_file(folder_ / kConfigFile,
                 to_toml(config_, program_.name) + (older ? "" : fingerprint_line(facts_.fingerprint)));
  config_written_ = true;
  if (!replaces_) return;
  replaces_ = false;
  metrics_->start();
  if (steps_) steps_->start();
}

void Session::stop(int signal) const {
  if (replaces_)
    throw Stopped(
        signal,
        fmt::format("stopped by {}: nothing of the new run is saved yet, and {} still holds the previous run",
                    signal_name(signal), folder_.string()));
  const std::uint64_t steps = trainer_->steps_done();
  throw Stopped(signal,
                fmt::format("stopped by {} after {} ({}): {} has them, and the same command continues",
                            signal_name(signal), counted(static_cast<std::int64_t>(steps), "step"),
                            counted(trainer_->epochs_done(), "epoch"), (folder_ / kCheckpointFile).string()));
}

void Session::save_model(int epoch, Durability durability) const {
  save_weights(folder_ / kModelFile, epoch, weights_to_save(), durability);
}

void Session::save_weights(const fs::path& file, int epoch, ModelWeights which, Durability durability) const {
  std::map<std::string, std::string> metadata = metadata_of(config_, facts_, program_.name);
  metadata["format"] = "gpuvae";
  metadata["format_version"] = "2";
  metadata["epochs"] = std::to_string(epoch);
  if (processes_ != "1") metadata[kProcessesKey] = processes_;
  if (which == ModelWeights::best) metadata[kBestEpochKey] = std::to_string(trainer_->best().epoch);
  if (trainer_->patience_is_over()) metadata[kStoppedKey] = "patience";
  trainer_->with_weights(which, [&] { save_parameters(file, model_->parameters(), metadata, durability); });
}

// Keeps the checkpoint before this one under another name. This second name is made before the new checkpoint
// is written, so that the folder has a complete checkpoint at every moment.
void Session::save_checkpoint(Durability durability) const {
  std::map<std::string, std::string> metadata = metadata_of(config_, facts_, program_.name);
  metadata[kMetricsKey] = rows_text(history_.epochs);
  if (processes_ != "1") metadata[kProcessesKey] = processes_;
  if (steps_) {
    const StepLog::Position& log = steps_->position();
    metadata["log_epoch"] = std::to_string(log.epoch);
    metadata["log_images"] = std::to_string(log.images);
    metadata["log_reconstruction"] = fmt::format("{}", log.so_far.reconstruction);
    metadata["log_kl"] = fmt::format("{}", log.so_far.kl);
    metadata["log_loss"] = fmt::format("{}", log.so_far.loss);
  }
  const fs::path file = folder_ / kCheckpointFile, earlier = folder_ / kEarlierCheckpointFile;
  const fs::path kept = folder_ / fmt::format("{}.tmp-0", kEarlierCheckpointFile);
  std::error_code error;
  fs::remove(kept, error);
  fs::create_hard_link(fs::canonical(file, error), kept, error);  // not to a link, whose target will change
  if (error) fs::copy_file(file, kept, error);                    // some file systems have no hard links
  const bool has_earlier = !error;                                // the first checkpoint has none
  try {
    gpuvae::save_checkpoint(file, model_->parameters(), *optimizer_, trainer_->state(), metadata, durability);
  } catch (...) {
    fs::remove(kept, error);
    throw;
  }
  if (has_earlier) fs::rename(kept, earlier);
}

}  // namespace gpuvae::apps
