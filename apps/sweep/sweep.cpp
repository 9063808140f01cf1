#include "apps/sweep/sweep.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <numeric>
#include <set>

#include "apps/run/ranks.h"
#include "apps/run/run_files.h"
#include "apps/run/stop_signals.h"
#include "apps/sweep/runner.h"
#include "apps/sweep/sweep_page.h"
#include "kernels/check.h"
#include "kernels/cpu/parallel/cores.h"
#include "src/data/counted.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPageFile = "sweep.html";

// Throws Error if the folder holds a single run, or files of others that the sweep would overwrite.
void check_folder(const fs::path& folder) {
  check(!holds_run(folder), file_error("sweep"),
        "{} holds a run, expected the folder of a sweep or a new one", folder.string());
  const auto refuse = [&](const char* name, const std::string& mark) {
    const fs::path file = folder / name;
    check(!is_there(file) || io::read_part(file, 0, 1000).bytes.find(mark) != std::string::npos,
          file_error("sweep"),
          "{}: expected a file of a sweep, got another one, which the sweep would overwrite", file.string());
  };
  refuse(kSweepTableFile, kSweepMark);
  refuse(kPageFile, "<meta name=\"generator\" content=\"gpuvae\">");
}

// The settings on which the training set and what it decides depend: --likelihood auto, --gaussian-mean auto
// and the numbers of --column-types.
std::string data_key(const RunConfig& config) {
  static const std::set<std::string> kOfBatches = {"--batch-size", "--drop-last", "--no-shuffle",
                                                   "--binarize", "--threshold"};
  const DistributionSettings& d = config.distributions;
  std::string key =
      fmt::format("{}\n{}\n{}", d.likelihood, d.column_types, static_cast<int>(config.gaussian_mean));
  for (const ValueGroup& group : values_of(config))
    if (group.name == "Data")
      for (const NamedValue& v : group.values)
        if (!kOfBatches.contains(v.flag)) key += "\n" + text_of(v.value);
  return key;
}

// Whether runs use a GPU. The sweep itself does not open one.
bool uses_gpu(const RunConfig& config) {
  return config.device.starts_with("cuda") || (config.device == "auto" && Device::cuda_count() > 0);
}

// What is known of the data before the first run starts.
struct LoadedData {
  // With what the data decide, such as the likelihood and whether they are the built-in ones.
  RunConfig config;
  TrainingData facts;
  std::string unit;
};

class Sweep {
 public:
  Sweep(const Program& program, const CommandLine& line)
      : program_(program), command_(line.command), plan_(plan_sweep(program, line)) {}

  void run() {
    check_folder(plan_.folder);
    load_data();
    check_agreement();
    const FolderLock lock(plan_.folder);
    choose_runs();
    share_choice();
    say_plan();
    const StopSignals signals;
    train();
    const int signal = largest_of_ranks(StopSignals::received());
    write_summary();
    std::size_t failed = 0;
    for (const RunOutcome& outcome : outcomes_) failed += outcome.state == RunOutcome::State::failed;
    if (signal != 0)
      throw Stopped(signal, fmt::format("stopped by {}: {} of {} runs are finished, and the same command "
                                        "{}continues the others",
                                        signal_name(signal), plan_.runs.size() - count_unfinished(),
                                        plan_.runs.size(), command_.retrain ? "without --retrain " : ""));
    check(failed == 0, "sweep", "{} of {} runs failed; log.txt in the folder of each has its output", failed,
          plan_.runs.size());
  }

  // What the ranks other than 0 do: they train some of the runs. Rank 0 alone decides which, and writes.
  void follow() {
    const Silence silence;
    load_data();
    check_agreement();
    share_choice();
    const StopSignals signals;
    train();
    if (const int signal = largest_of_ranks(StopSignals::received()); signal != 0)
      throw Stopped(signal, "stopped with rank 0");
  }

 private:
  // Loads the data of each setting once, on the CPU, so that a mistake is one error before anything starts.
  void load_data() {
    for (PlannedRun& run : plan_.runs) {
      const std::string key = data_key(run.config);
      if (!loaded_.contains(key)) {
        RunConfig config = run.config;
        config.device = "cpu";
        Session session(program_, config);
        session.load_data();
        loaded_.emplace(key, LoadedData{session.config(), session.data_facts(), session.unit()});
      }
      const LoadedData& data = loaded_.at(key);
      run.config.data.builtin = data.config.data.builtin;
      run.config.distributions.likelihood = data.config.distributions.likelihood;
      run.config.distributions.column_types = data.config.distributions.column_types;
      run.config.set_gaussian_mean(data.config.gaussian_mean);
    }
  }

  // Throws Error if ranks plan other runs or have other data.
  void check_agreement() const {
    std::string runs, data;
    for (const PlannedRun& run : plan_.runs)
      for (const auto& [flag, text] : run.texts) runs += fmt::format("{} {} {}\n", run.name, flag, text);
    for (const auto& [key, loaded] : loaded_) data += loaded.facts.fingerprint;
    check_same_on_ranks("sweep", {{"runs", runs}, {"training set", data}});
  }

  // Returns why a finished run does not belong into this sweep, or an empty text.
  std::string mistake_in_data(const FinishedRun& run) const {
    for (const auto& [key, data] : loaded_)
      if (data_key(data.config) == data_key(run.config) && data.facts.fingerprint != run.data.fingerprint)
        return fmt::format("it was trained on another training set (fingerprint {}, got {} of {})",
                           run.data.fingerprint, data.facts.fingerprint, data.facts.source);
    return "";
  }

  // Finds the runs that are still to do. Throws Error if a folder holds a run with other settings or data.
  void choose_runs() {
    std::set<std::string> finished;
    std::set<std::string> planned;
    if (command_.retrain)
      for (const PlannedRun& run : plan_.runs) planned.insert(run.name);
    for (const FinishedRun& run : finished_runs(plan_.folder, program_)) {
      if (planned.contains(run.name)) continue;
      const std::string mistake = mistake_in_data(run);
      check(mistake.empty(), "sweep", "{}: {}: choose another folder with --out",
            (plan_.folder / run.name).string(), mistake);
      finished.insert(run.name);
    }
    for (const PlannedRun& run : plan_.runs)
      if (!finished.contains(run.name) || !is_complete(run)) to_do_.push_back(&run);
  }

  // Whether a finished run has all epochs of this sweep and its report.
  bool is_complete(const PlannedRun& run) const {
    const fs::path folder = run.config.out;
    const RunConfig held = read_config((folder / kConfigFile).string(), program_.name, program_.presets);
    if (const std::optional<Difference> d = training_difference(held, run.config))
      throw Error("sweep",
                  fmt::format("{0} holds a run with {1} {2}, got {1} {3}: choose another folder with "
                              "--out, or add --retrain",
                              folder.string(), d->flag, d->a, d->b));
    return held.epochs == run.config.epochs && is_there(folder / "report.html");
  }

  // All ranks call this function after rank 0 has chosen the runs that are to do.
  void share_choice() {
    std::vector<double> chosen(plan_.runs.size());
    for (const PlannedRun* run : to_do_) chosen[static_cast<std::size_t>(run - plan_.runs.data())] = 1;
    chosen = sums_of_ranks(chosen);
    to_do_.clear();
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i] > 0) to_do_.push_back(&plan_.runs[i]);
    const int sharing = ranks_on_these_processors();
    for (const double jobs : values_of_ranks(own_jobs(sharing))) jobs_.push_back(static_cast<int>(jobs));
  }

  // The number of runs at a time on this rank, which shares its processors with `sharing - 1` others.
  int own_jobs(int sharing) const {
    if (command_.jobs > 0) return command_.jobs;
    const bool gpu = std::ranges::any_of(plan_.runs, [](const auto& run) { return uses_gpu(run.config); });
    return gpu ? 1 : std::max(1, kernels::usable_processors() / sharing / plan_.threads);
  }

  void say_plan() const {
    std::string grid;
    for (const GridKey& key : plan_.grid)
      grid += fmt::format("{}{} {}", grid.empty() ? " (" : "; ", key.key, fmt::join(key.values, " or "));
    if (!grid.empty()) grid += ")";
    const auto settings = static_cast<std::int64_t>(plan_.runs.size() / plan_.seeds.size());
    const std::string ranks = jobs_.size() > 1 ? fmt::format(" on {} ranks", jobs_.size()) : "";
    std::fprintf(stderr, "sweep   %s%s x %s in %s: %zu finished, %zu to do, %d at a time%s\n",
                 counted(settings, "setting").c_str(), grid.c_str(),
                 counted(std::ssize(plan_.seeds), "seed").c_str(), plan_.folder.c_str(),
                 plan_.runs.size() - to_do_.size(), to_do_.size(),
                 std::accumulate(jobs_.begin(), jobs_.end(), 0), ranks.c_str());
  }

  void train() {
    const RunnerOptions options{jobs_, command_.retrain, plan_.runs.size() - to_do_.size()};
    outcomes_ = train_side_by_side(program_, to_do_, options,
                                   [this](const FinishedRun& run) { return mistake_in_data(run); });
  }

  std::size_t count_unfinished() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        outcomes_, [](const RunOutcome& o) { return o.state != RunOutcome::State::finished; }));
  }

  void write_summary() const {
    const std::vector<FinishedRun> finished = finished_runs(plan_.folder, program_);
    const LoadedData& data = loaded_.begin()->second;
    SweepFacts facts{program_.name, data.facts.source, data.unit, command_.text, {}, 0};
    std::vector<UnfinishedRun> unfinished;
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
      if (outcomes_[i].state == RunOutcome::State::finished) continue;
      const bool failed = outcomes_[i].state == RunOutcome::State::failed;
      unfinished.push_back({to_do_[i], failed});
      if (failed) facts.failures.emplace_back(to_do_[i]->name, outcomes_[i].failure);
      facts.unfinished += !failed;
    }
    const SweepSummary summary = summarize(plan_.grid, finished, unfinished);
    io::write_file(plan_.folder / kSweepTableFile, summary_csv(summary, program_.name, data.unit));
    io::write_file(plan_.folder / kPageFile, report_html(sweep_page(summary, facts)));
    std::fputs(summary_text(summary, data.unit).c_str(), stdout);
    for (const auto& [run, why] : facts.failures) std::printf("failed  %s: %s\n", run.c_str(), why.c_str());
    std::fprintf(stderr, "wrote   %s/: %s, %s\n", plan_.folder.c_str(), kSweepTableFile, kPageFile);
  }

  const Program& program_;
  const Command& command_;
  SweepPlan plan_;
  std::map<std::string, LoadedData> loaded_;  // by data_key()
  std::vector<const PlannedRun*> to_do_;
  std::vector<int> jobs_;             // runs at a time, by rank
  std::vector<RunOutcome> outcomes_;  // of to_do_
};

}  // namespace

void sweep(const Program& program, const CommandLine& line) {
  Sweep sweep(program, line);
  is_follower() ? sweep.follow() : sweep.run();
}

}  // namespace gpuvae::apps
