#include "apps/sweep/runner.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "apps/run/progress.h"
#include "apps/run/ranks.h"
#include "apps/run/stop_signals.h"
#include "apps/sweep/assignment.h"
#include "apps/sweep/child_process.h"
#include "apps/sweep/sweep_progress.h"
#include "src/data/counted.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using State = RunOutcome::State;

constexpr const char* kLogFile = "log.txt";

std::vector<std::string> arguments_of(const Program& program, const PlannedRun& run, bool retrain) {
  RunConfig config = run.config;
  std::vector<std::string> arguments = {program.name, "train"};
  for (const SettingGroup& group : settings(config))
    for (const Setting& setting : group.settings) {
      const auto text = run.texts.find(setting.flag);
      if (text == run.texts.end()) continue;
      if (setting.is_path() && text->second.empty()) continue;  // the default, which config.toml says
      if (setting.variable.type.empty()) {
        arguments.push_back(setting.flag + "=" + text->second);
      } else {
        arguments.push_back(setting.flag);
        arguments.push_back(text->second);
      }
    }
  if (retrain) arguments.emplace_back("--retrain");
  return arguments;
}

// Returns the program's last line of error in a log from the given position, without the program's name.
std::string last_error(const fs::path& log, std::uint64_t from, const std::string& program) try {
  constexpr std::uint64_t kMaxBytes = 1 << 16;
  const std::uint64_t size = fs::file_size(log);
  from = std::max(from, size > kMaxBytes ? size - kMaxBytes : 0);
  std::istringstream in(io::read_part(log, from, kMaxBytes).bytes);
  std::string error;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(program + ": ")) error = line.substr(program.size() + 2);
  return error;
} catch (const std::exception&) {
  return "";
}

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// A run whose process has not ended yet.
class ActiveRun {
 public:
  ActiveRun(const Program& program, const PlannedRun& run, bool retrain) : folder_(run.config.out) {
    io::make_folder(folder_);
    std::error_code ignored;
    const fs::path log = folder_ / kLogFile;
    if (fs::exists(log, ignored)) log_begin_ = fs::file_size(log, ignored);
    process_ = std::make_unique<ChildProcess>(arguments_of(program, run, retrain), log);
  }

  ChildProcess& process() const { return *process_; }
  // Why the run failed, for a process that ended with an error.
  std::string failure(const ProcessEnd& end, const std::string& program) const {
    const std::string error = last_error(folder_ / kLogFile, log_begin_, program);
    if (end.signal != 0) return fmt::format("killed by signal {} ({})", end.signal, ::strsignal(end.signal));
    return error.empty() ? fmt::format("exit status {}", end.exit_status) : error;
  }

 private:
  fs::path folder_;
  std::uint64_t log_begin_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

class Runner {
 public:
  Runner(const Program& program, std::span<const PlannedRun* const> runs, const RunnerOptions& options,
         const RunCheck& check)
      : program_(program),
        runs_(runs),
        options_(options),
        check_(check),
        rank_(communicator() ? communicator()->rank() : 0),
        assignment_(runs.size(), options.jobs),
        began_(runs.size()),
        outcomes_(runs.size()),
        progress_(runs, options.finished, options.retrain, options.log) {}

  std::vector<RunOutcome> train() {
    const ChildSignal child_signal;
    while (true) {
      poll();
      share();
      if (assignment_.active().empty() && (signal_ != 0 || !assignment_.has_waiting())) return outcomes_;
      pass_signal_on();
      if (signal_ == 0) start_runs();
      draw();
      wait(child_signal);
    }
  }

 private:
  void start_runs() {
    for (const Assignment::Place& place : assignment_.assign()) {
      began_[place.run] = Clock::now();
      if (place.rank != rank_) continue;
      try {
        own_[place.run] = std::make_unique<ActiveRun>(program_, *runs_[place.run], options_.retrain);
      } catch (const Error& error) {
        ended_[place.run] = {State::failed, error.what()};
      }
    }
  }

  // Finds out which of this rank's processes have ended.
  void poll() {
    for (auto& [run, active] : own_)
      if (const auto end = active->process().poll()) ended_[run] = outcome_of(*active, *end);
    for (const auto& [run, outcome] : ended_) own_.erase(run);
  }

  RunOutcome outcome_of(const ActiveRun& active, const ProcessEnd& end) const {
    if (end.is_success()) return {State::finished};
    if (signal_ != 0 && end.exit_status == 128 + signal_) return {State::stopped};
    return {State::failed, active.failure(end, program_.name)};
  }

  // Tells all ranks which runs have ended and whether a signal has arrived.
  void share() {
    const std::vector<Assignment::Place> active = assignment_.active();
    signal_ = largest_of_ranks(StopSignals::received());
    std::vector<double> ends(active.size());  // 1 + the state of runs that have ended
    for (std::size_t i = 0; i < active.size(); ++i)
      if (const auto own = ended_.find(active[i].run); own != ended_.end())
        ends[i] = 1 + static_cast<double>(own->second.state);
    ends = sums_of_ranks(ends);
    for (std::size_t i = 0; i < active.size(); ++i)
      if (ends[i] > 0) end(active[i], static_cast<State>(static_cast<int>(ends[i]) - 1));
    ended_.clear();
  }

  void end(const Assignment::Place& place, State state) {
    assignment_.end(place);
    const auto own = ended_.find(place.run);
    RunOutcome& outcome = outcomes_[place.run];
    outcome = {state, {}};
    if (state == State::failed)
      outcome.failure = text_of_ranks(own != ended_.end() ? own->second.failure : "");
    if (!is_follower()) report(*runs_[place.run], outcome, seconds_since(began_[place.run]));
  }

  // Checks and reports an outcome.
  void report(const PlannedRun& planned, RunOutcome& outcome, double seconds) {
    if (outcome.state == State::stopped) return progress_.stopped(planned);
    if (outcome.state == State::finished) {
      const std::optional<FinishedRun> run = read_finished_run(planned.config.out, program_);
      outcome.failure = run ? check_(*run) : "expected a finished run, got none";
      if (outcome.failure.empty()) return progress_.finished(planned, *run, seconds);
      outcome.state = State::failed;
    }
    progress_.failed(planned, outcome.failure);
  }

  void pass_signal_on() {
    if (signal_ == 0 || passed_on_) return;
    passed_on_ = true;
    progress_.write(fmt::format("stopping {} after {}: each saves a checkpoint",
                                counted(std::ssize(assignment_.active()), "run"), signal_name(signal_)));
    for (const auto& [run, active] : own_) active->process().send(signal_);
  }

  void draw() {
    if (is_follower() || !progress_.is_due()) return;
    std::vector<const PlannedRun*> running;
    for (const Assignment::Place& place : assignment_.active()) running.push_back(runs_[place.run]);
    progress_.draw(running);
  }

  // One process continues as soon as one of its runs ends. Several ranks meet at fixed intervals instead,
  // because a rank that waits for the others in a sum occupies a processor.
  void wait(const ChildSignal& child_signal) {
    constexpr auto kInterval = std::chrono::milliseconds(50);
    if (options_.jobs.size() == 1) return child_signal.wait(2 * kInterval);
    std::this_thread::sleep_for(kInterval);
  }

  const Program& program_;
  std::span<const PlannedRun* const> runs_;
  RunnerOptions options_;
  const RunCheck& check_;
  const int rank_;
  Assignment assignment_;
  std::vector<Clock::time_point> began_;
  std::vector<RunOutcome> outcomes_;
  SweepProgress progress_;
  std::map<std::size_t, std::unique_ptr<ActiveRun>> own_;  // this rank's runs, by number
  std::map<std::size_t, RunOutcome> ended_;                // this rank's runs that no other rank knows of yet
  int signal_ = 0;                                         // the first one that any rank has received
  bool passed_on_ = false;                                 // to the running processes
};

}  // namespace

std::vector<RunOutcome> train_side_by_side(const Program& program, std::span<const PlannedRun* const> runs,
                                           const RunnerOptions& options, const RunCheck& check) {
  return Runner(program, runs, options, check).train();
}

}  // namespace gpuvae::apps
