// The functions that a trainer calls while it trains: progress, reports of steps and epochs, and a condition
// to stop.
#include <algorithm>

#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/train/executor.h"
#include "src/train/seconds.h"

namespace gpuvae {

void Trainer::on_steps(std::uint64_t every, StepCallback callback) {
  check(every > 0, "on_steps", "expected 1 or more steps between reports, got {}", every);
  check(static_cast<bool>(callback), "on_steps", "expected a callback, got an empty one");
  check(!training_, "on_steps", "expected no call inside a callback of the same trainer");
  step_callbacks_.push_back({every, std::move(callback), {}});
  executor_->limit_launches(every);
}

void Trainer::on_epoch(EpochCallback callback) {
  check(static_cast<bool>(callback), "on_epoch", "expected a callback, got an empty one");
  check(!training_, "on_epoch", "expected no call inside a callback of the same trainer");
  epoch_callbacks_.push_back(std::move(callback));
}

void Trainer::on_rewind(RewindCallback callback) {
  check(!training_, "on_rewind", "expected no call inside a callback of the same trainer");
  rewind_callback_ = std::move(callback);
}

void Trainer::stop_when(std::function<bool()> condition) {
  check(!training_, "stop_when", "expected no call inside a callback of the same trainer");
  stop_condition_ = std::move(condition);
}

bool Trainer::report_steps() {
  const auto due = [&](const StepWatch& watch) { return step_ % watch.every == 0; };
  if (std::ranges::none_of(step_callbacks_, due)) return false;
  read_sums();
  // Computed before the callbacks, because a callback may set another learning rate. If all steps so far were
  // skipped, it is that of the first step.
  const double rate = learning_rate(std::max<std::uint64_t>(step_ - skipped_steps(), 1) - 1);
  bool stop = false;
  for (StepWatch& watch : step_callbacks_) {
    if (!due(watch)) continue;
    const StepReport report{step_, static_cast<int>((step_ - 1) / steps_per_epoch_) + 1,
                            mean_of(watch.since_report), rate};
    watch.since_report = {};
    stop = watch.callback(report) == TrainControl::stop || stop;
  }
  return stop;
}

void Trainer::report_progress(const ProgressCallback& progress, std::uint64_t before) {
  const auto report = static_cast<std::uint64_t>(options_.report_steps);
  const std::uint64_t done = before % steps_per_epoch_ + (step_ - before);
  const bool due = reports_wait() ? seconds_since(reported_) >= options_.report_seconds : done % report == 0;
  if (!due) return;
  const Sums sums = read_sums();
  progress(sums.images, mean_of(sums));
  reported_ = std::chrono::steady_clock::now();
}

bool Trainer::report_epoch(const EpochResult& result) {
  bool stop = false;
  for (const EpochCallback& callback : epoch_callbacks_)
    stop = callback(result) == TrainControl::stop || stop;
  return stop;
}

}  // namespace gpuvae
