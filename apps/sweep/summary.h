// What the runs of a sweep have in common: for each setting, the mean of every figure over the seeds.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/sweep/finished_run.h"
#include "apps/sweep/plan.h"
#include "apps/sweep/statistics.h"

namespace gpuvae::apps {

// A number of a finished run.
struct SweepFigure {
  const char* column;  // in sweep.csv: "val_loss"
  const char* title;   // "validation loss"
  bool validation;     // needs validation data
  double (*of)(const FinishedRun&);
};
// All figures: the losses after the last epoch, and the training time.
std::span<const SweepFigure> sweep_figures();

// The runs that differ only in the seed.
struct SweepSetting {
  std::vector<std::string> values;       // of the summary's keys
  std::vector<const FinishedRun*> runs;  // finished, by ascending seed
  std::vector<std::uint64_t> failed;     // seeds
  std::string name(
      const std::vector<std::string>& keys) const;  // "beta=0.5, latent=2"; "all runs" if no keys
};
Estimate estimate_of(const SweepSetting& setting, const SweepFigure& figure);

// The setting with the lowest mean loss, and the next one.
struct BestSetting {
  const SweepSetting* best = nullptr;
  const SweepSetting* next = nullptr;  // null if there is no other setting
  Estimate difference;                 // loss of `next` minus that of `best`, over the seeds that both have
};

struct SweepSummary {
  // Names of the settings that differ: those of --grid, and those in which runs of earlier sweeps differ.
  std::vector<std::string> keys;
  std::vector<SweepSetting> settings;  // in the order of the grid, and then those of earlier sweeps
  bool validated = false;              // whether all runs have validation data
  // The figure by which settings are compared: the loss or, if --beta or the objective differs,
  // reconstruction
  // + KL, because losses with different weights of the KL term, and different bounds on log p(x), are not
  // comparable. Null if the losses of the settings are not comparable at all; `why_no_best` then has the
  // reason.
  const SweepFigure* criterion = nullptr;
  std::string criterion_note;  // a sentence that says why settings are not compared by the loss; or empty
  std::string why_no_best;
  std::optional<BestSetting> best;

  bool is_best(const SweepSetting& setting) const { return best && best->best == &setting; }
};

// A run of the sweep's command line that did not finish.
struct UnfinishedRun {
  const PlannedRun* run = nullptr;
  bool failed = false;
};
// Groups the finished runs and those that failed. The arguments must outlive the result.
SweepSummary summarize(const std::vector<GridKey>& grid, const std::vector<FinishedRun>& finished,
                       const std::vector<UnfinishedRun>& unfinished);

// The table for the terminal, with the best setting; the contents of sweep.csv. `unit` is that of the losses.
std::string summary_text(const SweepSummary& summary, const std::string& unit);
std::string summary_csv(const SweepSummary& summary, const std::string& program, const std::string& unit);
// Returns the sentence about the best setting: "beta=1: validation loss 152.31 ± 0.22 ...".
std::string best_text(const SweepSummary& summary, const std::string& unit);
// Returns "152.31 ± 0.22", "152.31" for one run, or "-" for none.
std::string estimate_text(const Estimate& estimate);

}  // namespace gpuvae::apps
