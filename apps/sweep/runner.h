// Trains the runs of a sweep side by side, each in a separate process.
#pragma once

#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "apps/sweep/finished_run.h"
#include "apps/sweep/plan.h"

namespace gpuvae::apps {

// What became of a run.
struct RunOutcome {
  enum class State { finished, failed, stopped };  // stopped: by a signal to the sweep, or not started
  State state = State::stopped;
  std::string failure = {};  // of a failed run: the last error that it printed, or how it ended
};

struct RunnerOptions {
  std::vector<int> jobs = {1};  // processes at a time, by rank
  bool retrain = false;         // passes --retrain on
  std::size_t finished = 0;     // number of runs that were finished before
  std::FILE* log = stderr;
};

// Checks a run whose process has ended without an error, and returns its mistake or an empty text.
using RunCheck = std::function<std::string(const FinishedRun&)>;

// Starts `program train` with the flags of each run, and returns what became of each, in order. The output of
// a run is appended to log.txt in its folder. A run that fails does not stop the others. After SIGINT,
// SIGTERM or SIGHUP, no further runs start, the running ones get the same signal, on which they save a
// checkpoint, and the function returns when they have ended. The caller owns the StopSignals object that
// receives the signal. With several ranks, all of them call this function with the same arguments, each
// starts some of the runs, and a signal to any of them stops all. Only rank 0 calls `check` and reports
// progress, and the outcomes that it returns are those that count.
std::vector<RunOutcome> train_side_by_side(const Program& program, std::span<const PlannedRun* const> runs,
                                           const RunnerOptions& options, const RunCheck& check);

}  // namespace gpuvae::apps
