// The progress of a sweep on the terminal or in a log.
#pragma once

#include <chrono>
#include <cstdio>
#include <map>
#include <span>

#include "apps/run/status_line.h"
#include "apps/sweep/finished_run.h"
#include "apps/sweep/plan.h"

namespace gpuvae::apps {

// Writes a line for each run that ends and, in between, a status line with the time left. The time left
// follows from the number of epochs, which are counted in the metrics.csv of the running runs.
class SweepProgress {
 public:
  // `runs` are those that are still to do, and `finished` is the number of the others. With `retrain`, the
  // epochs of older runs do not count.
  SweepProgress(std::span<const PlannedRun* const> runs, std::size_t finished, bool retrain, std::FILE* out);

  void finished(const PlannedRun& run, const FinishedRun& result, double seconds);
  void failed(const PlannedRun& run, const std::string& why);
  void stopped(const PlannedRun& run);
  bool is_due() const { return Clock::now() >= next_draw_; }
  void draw(std::span<const PlannedRun* const> running);
  void write(const std::string& line) { line_.write(line); }

 private:
  using Clock = std::chrono::steady_clock;

  void end(const PlannedRun& run);
  std::int64_t epochs_done() const;
  std::string time_left() const;

  StatusLine line_;
  const std::size_t total_;
  std::size_t finished_, failed_ = 0;
  const bool retrain_;
  std::int64_t epochs_ = 0;        // of all runs that are still to do
  std::int64_t ended_epochs_ = 0;  // of those that have ended
  std::int64_t done_before_ = 0;   // epochs of these runs that were finished before this process began
  std::map<std::string, std::int64_t> running_;  // finished epochs of the running runs, by name
  Clock::time_point began_ = Clock::now(), next_draw_, next_count_;
};

}  // namespace gpuvae::apps
