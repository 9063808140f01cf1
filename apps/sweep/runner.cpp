#include "apps/sweep/runner.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <sstream>

#include "apps/run/progress.h"
#include "apps/run/stop_signals.h"
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
  constexpr std::uint64_t kMostBytes = 1 << 16;
  const std::uint64_t size = fs::file_size(log);
  from = std::max(from, size > kMostBytes ? size - kMostBytes : 0);
  std::istringstream in(io::read_part(log, from, kMostBytes).bytes);
  std::string error;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(program + ": ")) error = line.substr(program.size() + 2);
  return error;
} catch (const std::exception&) {
  return "";
}

// A run whose process has not ended yet.
class ActiveRun {
 public:
  ActiveRun(const Program& program, const PlannedRun& run, std::size_t index, bool retrain)
      : run_(run), index_(index), folder_(run.config.out), began_(Clock::now()) {
    io::make_folder(folder_);
    std::error_code ignored;
    const fs::path log = folder_ / kLogFile;
    if (fs::exists(log, ignored)) log_begin_ = fs::file_size(log, ignored);
    process_ = std::make_unique<ChildProcess>(arguments_of(program, run, retrain), log);
  }

  const PlannedRun& run() const { return run_; }
  std::size_t index() const { return index_; }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  ChildProcess& process() const { return *process_; }
  // Why the run failed, for a process that ended with an error.
  std::string failure(const ProcessEnd& end, const std::string& program) const {
    const std::string error = last_error(folder_ / kLogFile, log_begin_, program);
    if (end.signal != 0) return fmt::format("killed by signal {} ({})", end.signal, ::strsignal(end.signal));
    return error.empty() ? fmt::format("exit status {}", end.exit_status) : error;
  }

 private:
  const PlannedRun& run_;
  std::size_t index_;
  fs::path folder_;
  Clock::time_point began_;
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
        outcomes_(runs.size()),
        progress_(runs, options.finished, options.retrain, options.log) {}

  std::vector<RunOutcome> train() {
    const ChildSignal child_signal;
    while (!active_.empty() || (next_ < runs_.size() && StopSignals::received() == 0)) {
      pass_signal_on();
      if (StopSignals::received() == 0) start_runs();
      for (auto& active : active_)
        if (const auto end = active->process().poll()) {
          finish(*active, *end);
          active.reset();
        }
      std::erase(active_, nullptr);
      draw();
      if (!active_.empty()) child_signal.wait(std::chrono::milliseconds(100));
    }
    return outcomes_;
  }

 private:
  void start_runs() {
    while (next_ < runs_.size() && std::ssize(active_) < options_.jobs) {
      const std::size_t index = next_++;
      try {
        active_.push_back(std::make_unique<ActiveRun>(program_, *runs_[index], index, options_.retrain));
      } catch (const Error& error) {
        fail(index, error.what());
      }
    }
  }

  void pass_signal_on() {
    if (StopSignals::received() == 0 || passed_on_) return;
    passed_on_ = true;
    progress_.write(fmt::format("stopping {} after {}: each saves a checkpoint",
                                counted(std::ssize(active_), "run"), signal_name(StopSignals::received())));
    for (const auto& active : active_) active->process().send(StopSignals::received());
  }

  void finish(const ActiveRun& active, const ProcessEnd& end) {
    if (end.is_success()) return accept(active);
    const int signal = StopSignals::received();
    if (signal != 0 && end.exit_status == 128 + signal) return progress_.stopped(active.run());
    fail(active.index(), active.failure(end, program_.name));
  }

  void accept(const ActiveRun& active) {
    const std::optional<FinishedRun> run = read_finished_run(active.run().config.out, program_);
    const std::string mistake = run ? check_(*run) : "expected a finished run, got none";
    if (!mistake.empty()) return fail(active.index(), mistake);
    outcomes_[active.index()].state = State::finished;
    progress_.finished(active.run(), *run, active.seconds());
  }

  void fail(std::size_t index, const std::string& why) {
    outcomes_[index] = {State::failed, why};
    progress_.failed(*runs_[index], why);
  }

  void draw() {
    if (!progress_.is_due()) return;
    std::vector<const PlannedRun*> running;
    for (const auto& active : active_) running.push_back(&active->run());
    progress_.draw(running);
  }

  const Program& program_;
  std::span<const PlannedRun* const> runs_;
  RunnerOptions options_;
  const RunCheck& check_;
  std::vector<RunOutcome> outcomes_;
  SweepProgress progress_;
  std::vector<std::unique_ptr<ActiveRun>> active_;
  std::size_t next_ = 0;
  bool passed_on_ = false;  // a signal to the running processes
};

}  // namespace

std::vector<RunOutcome> train_side_by_side(const Program& program, std::span<const PlannedRun* const> runs,
                                           const RunnerOptions& options, const RunCheck& check) {
  return Runner(program, runs, options, check).train();
}

}  // namespace gpuvae::apps
