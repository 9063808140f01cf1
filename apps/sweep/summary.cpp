#include "apps/sweep/summary.h"
#include "src/vae/named_distributions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace gpuvae::apps {
namespace {

using Values = std::map<std::string, std::string>;  // of all settings of a run, by key

double train_seconds(const FinishedRun& run) {
  return std::accumulate(run.epochs.begin(), run.epochs.end(), 0.0,
                         [](double sum, const EpochResult& r) { return sum + r.train_seconds; });
}

const EpochResult& last(const FinishedRun& run) { return run.of_model(); }
double unweighted(const Losses& losses) { return losses.reconstruction + losses.kl; }

constexpr SweepFigure kFigures[] = {
    {"val_loss", "validation loss", true, [](const FinishedRun& r) { return last(r).validation.loss; }},
    {"val_reconstruction", "validation reconstruction", true,
     [](const FinishedRun& r) { return last(r).validation.reconstruction; }},
    {"val_kl", "validation KL", true, [](const FinishedRun& r) { return last(r).validation.kl; }},
    {"val_reconstruction_plus_kl", "validation reconstruction + KL", true,
     [](const FinishedRun& r) { return unweighted(last(r).validation); }},
    {"train_loss", "training loss", false, [](const FinishedRun& r) { return last(r).train.loss; }},
    {"train_reconstruction", "training reconstruction", false,
     [](const FinishedRun& r) { return last(r).train.reconstruction; }},
    {"train_kl", "training KL", false, [](const FinishedRun& r) { return last(r).train.kl; }},
    {"train_reconstruction_plus_kl", "training reconstruction + KL", false,
     [](const FinishedRun& r) { return unweighted(last(r).train); }},
    {"train_seconds", "training time (s)", false, train_seconds},
};

const SweepFigure& figure_named(const std::string& column) {
  return *std::ranges::find(kFigures, column, &SweepFigure::column);
}

// A run for the grouping: finished or failed.
struct Member {
  const FinishedRun* finished = nullptr;
  std::uint64_t seed = 0;
  bool failed = false;
  Values values;
};

// All settings of a run, and the set of those that decide the weights.
Values all_values(const RunConfig& config, std::set<std::string>& deciding) {
  Values values;
  for (const ValueGroup& group : values_of(config))
    for (const NamedValue& v : group.values) {
      values[v.flag.substr(2)] = text_of(v.value);
      if (v.decides_weights) deciding.insert(v.flag.substr(2));
    }
  return values;
}

bool varies(const std::vector<Member>& members, const std::string& key) {
  return std::ranges::any_of(
      members, [&](const Member& m) { return m.values.at(key) != members.front().values.at(key); });
}

// Whether all runs with the same value of `cause` have the same value of `key`.
bool follows_from(const std::vector<Member>& members, const std::string& key, const std::string& cause) {
  std::map<std::string, std::string> known;
  return std::ranges::all_of(members, [&](const Member& m) {
    return known.emplace(m.values.at(cause), m.values.at(key)).first->second == m.values.at(key);
  });
}

// The keys of the grid, those in the names of earlier runs, and all other settings in which the runs differ.
// A preset and an optimiser set other settings, which need no separate columns.
std::vector<std::string> keys_of(const std::vector<GridKey>& grid, const std::vector<Member>& members,
                                 const std::set<std::string>& deciding) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  };
  for (const GridKey& key : grid) add(key.key);
  for (const Member& m : members)
    if (m.finished)
      for (const std::string& key : keys_of_name(m.finished->name)) add(key);
  const std::vector<std::string> named = keys;
  for (const std::string& key : deciding) {
    if (key == "seed" || !varies(members, key)) continue;
    const bool implied = std::ranges::any_of(named, [&](const std::string& cause) {
      return (cause == "preset" || cause == "optimizer") && follows_from(members, key, cause);
    });
    if (!implied) add(key);
  }
  return keys;
}

std::vector<SweepSetting> group(const std::vector<Member>& members, const std::vector<std::string>& keys) {
  std::vector<SweepSetting> settings;
  std::map<std::vector<std::string>, std::size_t> index;
  std::set<std::pair<std::size_t, std::uint64_t>> seen;
  for (const Member& m : members) {
    std::vector<std::string> values;
    for (const std::string& key : keys) values.push_back(m.values.at(key));
    const auto [found, is_new] = index.emplace(values, settings.size());
    if (is_new) settings.push_back({values, {}, {}});
    // The same run under the names of two grids counts once.
    if (!seen.emplace(found->second, m.seed).second) continue;
    SweepSetting& setting = settings[found->second];
    if (m.finished) setting.runs.push_back(m.finished);
    if (m.failed) setting.failed.push_back(m.seed);
  }
  for (SweepSetting& setting : settings) {
    std::ranges::sort(setting.runs, {}, [](const FinishedRun* run) { return run->config.seed; });
    std::ranges::sort(setting.failed);
  }
  return settings;
}

// Densities of the same real numbers can be compared, and so can probabilities of the same counts.
bool likelihoods_differ_in_kind(const std::vector<Member>& members) {
  const auto all_have = [&](LikelihoodValues values) {
    return std::ranges::all_of(members, [&](const Member& m) {
      return named_likelihood(m.values.at("likelihood")).values == values;
    });
  };
  return varies(members, "likelihood") && !all_have(LikelihoodValues::any_number) &&
         !all_have(LikelihoodValues::counts);
}

// Returns the first setting that makes the losses of the runs incomparable, or an empty text.
std::string incomparable(const std::vector<Member>& members, bool validated) {
  for (const char* key : {"data",
                          "data-dir",
                          "builtin-data",
                          "variable",
                          "header",
                          "columns",
                          "label-column",
                          "column-types",
                          "condition",
                          "library-size",
                          "missing-values",
                          "standardize",
                          "value-range",
                          "validation-fraction",
                          "validation-images",
                          "validation-set",
                          "split-seed",
                          "binarize",
                          "threshold",
                          "pixel-mean",
                          "noise-std"})
    if (varies(members, key)) return key;
  const bool rest = members.front().values.at("validation-set") == "rest";
  if ((rest || !validated) && varies(members, "train-images")) return "train-images";
  if (likelihoods_differ_in_kind(members)) return "likelihood";
  if (members.front().values.at("pixel-mean") == "true" && varies(members, "beta")) return "beta";
  return "";
}

// Returns the first setting with which the losses of the runs are different quantities whose common measure
// is reconstruction + KL, or an empty text.
std::string differs_in_loss(const std::vector<Member>& members) {
  if (varies(members, "beta")) return "beta";
  if (varies(members, "objective")) return "objective";
  // The ELBO does not depend on the number of draws.
  const std::string& objective = members.front().values.at("objective");
  if (objective == "elbo" || objective == "stl") return "";
  for (const char* key : {"objective-samples", "objective-groups", "objective-mix"})
    if (varies(members, key)) return key;
  return "";
}

// The seeds that all settings with finished runs have.
std::set<std::uint64_t> common_seeds(const std::vector<SweepSetting>& settings) {
  std::map<std::uint64_t, std::size_t> counts;
  std::size_t with_runs = 0;
  for (const SweepSetting& setting : settings) {
    with_runs += setting.runs.empty() ? 0 : 1;
    for (const FinishedRun* run : setting.runs) ++counts[run->config.seed];
  }
  std::set<std::uint64_t> seeds;
  for (const auto& [seed, count] : counts)
    if (count == with_runs) seeds.insert(seed);
  return seeds;
}

// Settings are ranked by the seeds that all of them have, because a seed whose run failed elsewhere would
// count for one side only.
std::optional<BestSetting> best_of(const SweepSummary& summary) {
  const std::set<std::uint64_t> seeds = common_seeds(summary.settings);
  std::vector<std::pair<double, const SweepSetting*>> ranking;
  for (const SweepSetting& setting : summary.settings) {
    std::vector<double> values;
    for (const FinishedRun* run : setting.runs)
      if (seeds.empty() || seeds.contains(run->config.seed)) values.push_back(summary.criterion->of(*run));
    if (const double mean = estimate(values).mean; std::isfinite(mean)) ranking.emplace_back(mean, &setting);
  }
  if (ranking.empty()) return std::nullopt;
  std::ranges::stable_sort(ranking, {}, [](const auto& entry) { return entry.first; });
  BestSetting result{ranking[0].second, ranking.size() > 1 ? ranking[1].second : nullptr, {}};
  if (!result.next) return result;
  std::vector<double> differences;
  for (const FinishedRun* a : result.best->runs)
    for (const FinishedRun* b : result.next->runs)
      if (a->config.seed == b->config.seed)
        differences.push_back(summary.criterion->of(*b) - summary.criterion->of(*a));
  result.difference = estimate(differences);
  return result;
}

std::vector<Member> members_of(const std::vector<FinishedRun>& finished,
                               const std::vector<UnfinishedRun>& unfinished,
                               std::set<std::string>& deciding) {
  std::vector<Member> members;
  for (const FinishedRun& run : finished)
    members.push_back({&run, run.config.seed, false, all_values(run.config, deciding)});
  for (const UnfinishedRun& u : unfinished)
    members.push_back({nullptr, u.run->seed(), u.failed, all_values(u.run->config, deciding)});
  return members;
}

// Sorts settings in the order of the grid's values. Other values follow in the order of their runs.
void sort_like_grid(std::vector<SweepSetting>& settings, const std::vector<GridKey>& grid) {
  std::ranges::stable_sort(settings, {}, [&](const SweepSetting& setting) {
    std::vector<std::ptrdiff_t> ranks;
    for (std::size_t k = 0; k < grid.size(); ++k)
      ranks.push_back(std::ranges::find(grid[k].values, setting.values[k]) - grid[k].values.begin());
    return ranks;
  });
}

}  // namespace

std::span<const SweepFigure> sweep_figures() { return kFigures; }

std::string SweepSetting::name(const std::vector<std::string>& keys) const {
  std::string text;
  for (std::size_t k = 0; k < keys.size(); ++k)
    text += fmt::format("{}{}={}", k > 0 ? ", " : "", keys[k], values[k]);
  return text.empty() ? "all runs" : text;
}

Estimate estimate_of(const SweepSetting& setting, const SweepFigure& figure) {
  std::vector<double> values;
  for (const FinishedRun* run : setting.runs) values.push_back(figure.of(*run));
  return estimate(values);
}

SweepSummary summarize(const std::vector<GridKey>& grid, const std::vector<FinishedRun>& finished,
                       const std::vector<UnfinishedRun>& unfinished) {
  SweepSummary summary;
  std::set<std::string> deciding;
  const std::vector<Member> members = members_of(finished, unfinished, deciding);
  if (members.empty()) return summary;
  summary.keys = keys_of(grid, members, deciding);
  summary.settings = group(members, summary.keys);
  sort_like_grid(summary.settings, grid);
  summary.validated =
      !finished.empty() && std::ranges::all_of(finished, [](auto& r) { return r.data.validation_count > 0; });
  const std::vector<Member> compared(members.begin(), members.begin() + std::ssize(finished));
  if (compared.empty()) return summary;
  if (const std::string key = incomparable(compared, summary.validated); !key.empty()) {
    summary.why_no_best = fmt::format("the losses are not comparable, because --{} differs", key);
    return summary;
  }
  const std::string other_loss = differs_in_loss(compared);
  summary.criterion = &figure_named(fmt::format("{}_{}", summary.validated ? "val" : "train",
                                                other_loss.empty() ? "loss" : "reconstruction_plus_kl"));
  if (!other_loss.empty())
    summary.criterion_note = fmt::format(
        "Settings are compared by {}, because the losses with different --{} are different {}.",
        summary.criterion->title, other_loss,
        other_loss == "beta" ? "sums" : "bounds on log p(x), of which one may be tighter by construction");
  summary.best = best_of(summary);
  return summary;
}

}  // namespace gpuvae::apps
