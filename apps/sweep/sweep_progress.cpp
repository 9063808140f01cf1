#include "apps/sweep/sweep_progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/run/progress.h"

namespace gpuvae::apps {
namespace {

constexpr auto kCountEvery = std::chrono::seconds(1);

std::int64_t epochs_in_file(const PlannedRun& run) try {
  const auto rows =
      static_cast<std::int64_t>(read_metrics(std::filesystem::path(run.config.out) / kMetricsFile).size());
  return std::min<std::int64_t>(rows, run.config.epochs);
} catch (const Error&) {
  return 0;  // the run has finished no epoch
}

}  // namespace

SweepProgress::SweepProgress(std::span<const PlannedRun* const> runs, std::size_t finished, bool retrain,
                             std::FILE* out)
    : line_(out), total_(finished + runs.size()), finished_(finished), retrain_(retrain) {
  for (const PlannedRun* run : runs) {
    epochs_ += run->config.epochs;
    if (!retrain_) done_before_ += epochs_in_file(*run);
  }
  epochs_ -= done_before_;
  next_draw_ = began_ + line_.interval();
}

void SweepProgress::end(const PlannedRun& run) {
  running_.erase(run.name);
  ended_epochs_ += run.config.epochs;
}

void SweepProgress::finished(const PlannedRun& run, const FinishedRun& result, double seconds) {
  ++finished_;
  end(run);
  const EpochResult& last = result.of_model();
  const bool validated = result.data.validation_count > 0;
  const std::string left = time_left();
  line_.write(fmt::format("run {}/{}  {}  {} {}  {}{}", finished_ + failed_, total_, run.name,
                          validated ? "val" : "train",
                          loss_text(validated ? last.validation.loss : last.train.loss, 2),
                          elapsed_text(seconds), left.empty() ? "" : "  " + left));
}

void SweepProgress::failed(const PlannedRun& run, const std::string& why) {
  ++failed_;
  end(run);
  line_.write(fmt::format("run {}/{}  {}  failed: {}", finished_ + failed_, total_, run.name, why));
}

void SweepProgress::stopped(const PlannedRun& run) {
  running_.erase(run.name);
  line_.write(fmt::format("stopped  {}", run.name));
}

void SweepProgress::draw(std::span<const PlannedRun* const> running) {
  const auto now = Clock::now();
  next_draw_ = now + line_.interval();
  if (now >= next_count_ && !retrain_) {
    next_count_ = now + kCountEvery;
    for (const PlannedRun* run : running) running_[run->name] = epochs_in_file(*run);
  }
  const double fraction = epochs_ > 0 ? static_cast<double>(epochs_done()) / static_cast<double>(epochs_) : 0;
  std::string tail = fmt::format("{:3.0f}%  {} running", 100 * fraction, running.size());
  if (failed_ > 0) tail += fmt::format("  {} failed", failed_);
  if (const std::string left = time_left(); !left.empty()) tail += "  " + left;
  line_.draw(fmt::format("sweep {}/{} runs", finished_ + failed_, total_), fraction, tail);
}

// The epochs that this process has finished. A run that continues adds its older epochs when it is first
// counted, so that the sum can be negative before that.
std::int64_t SweepProgress::epochs_done() const {
  std::int64_t done = ended_epochs_ - done_before_;
  for (const auto& [name, epochs] : running_) done += epochs;
  return std::max<std::int64_t>(done, 0);
}

std::string SweepProgress::time_left() const {
  const std::int64_t done = epochs_done();
  if (done == 0 || done >= epochs_) return "";
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  return time_left_text(seconds * static_cast<double>(epochs_ - done) / static_cast<double>(done)) + " left";
}

}  // namespace gpuvae::apps
