#include "apps/sweep/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/plot/plot.h"
#include "apps/report/provenance.h"
#include "apps/run/progress.h"
#include "gpuvae/version.h"
#include "src/data/counted.h"

namespace gpuvae::apps {
namespace {

constexpr std::size_t kMaxCurves = 12;  // six colours, each plain and dashed

// The settings with results, those with the lowest mean first if settings can be compared.
std::vector<const SweepSetting*> ranked(const SweepSummary& summary) {
  std::vector<const SweepSetting*> settings;
  for (const SweepSetting& setting : summary.settings)
    if (!setting.runs.empty()) settings.push_back(&setting);
  if (summary.criterion)
    std::ranges::stable_sort(settings, {}, [&](const SweepSetting* setting) {
      const double mean = estimate_of(*setting, *summary.criterion).mean;
      return std::isfinite(mean) ? mean : std::numeric_limits<double>::infinity();
    });
  return settings;
}

// The mean of a term over the seeds, epoch by epoch, with the interval as a band.
Series curve_of(const SweepSetting& setting, const SweepSummary& summary, double Losses::*term) {
  Series series{.name = setting.name(summary.keys)};
  for (std::size_t epoch = 0; epoch < setting.runs.front()->epochs.size(); ++epoch) {
    std::vector<double> values;
    for (const FinishedRun* run : setting.runs) {
      const EpochResult& r = run->epochs[epoch];
      values.push_back((summary.validated ? r.validation : r.train).*term);
    }
    const Estimate e = estimate(values);
    series.x.push_back(static_cast<double>(epoch + 1));
    series.y.push_back(e.mean);
    series.low.push_back(e.mean - e.half_width);
    series.high.push_back(e.mean + e.half_width);
  }
  series.markers = series.x.size() == 1;
  return series;
}

ReportPicture curves(const SweepSummary& summary, const std::string& title, const std::string& unit,
                     double Losses::*term) {
  LineChart chart{.title = title, .x_label = "epoch", .y_label = unit};
  const std::vector<const SweepSetting*> settings = ranked(summary);
  for (std::size_t i = 0; i < std::min(settings.size(), kMaxCurves); ++i) {
    chart.series.push_back(curve_of(*settings[i], summary, term));
    chart.series.back().dashed = i >= kMaxCurves / 2;
  }
  std::string caption = "Mean over the seeds after each epoch; the bands are 95 % confidence intervals.";
  if (!summary.validated)
    caption = "Mean over the seeds of the training epochs, with 95 % confidence intervals.";
  if (settings.size() > kMaxCurves)
    caption += fmt::format(" {} {} of {} settings.", summary.criterion ? "The best" : "The first", kMaxCurves,
                           settings.size());
  return {.title = title, .caption = caption, .svg = line_chart_svg(chart), .wide = true};
}

ReportPicture intervals(const SweepSummary& summary, const std::string& unit) {
  IntervalChart chart{.title = fmt::format("Settings by {}", summary.criterion->title),
                      .x_label = fmt::format("{} ({})", summary.criterion->title, unit)};
  for (const SweepSetting* setting : ranked(summary)) {
    const Estimate e = estimate_of(*setting, *summary.criterion);
    IntervalRow row{setting->name(summary.keys), e.mean, e.half_width, {}};
    for (const FinishedRun* run : setting->runs) row.points.push_back(summary.criterion->of(*run));
    chart.rows.push_back(std::move(row));
  }
  return {.title = chart.title,
          .caption = "Mean over the seeds with its 95 % confidence interval; a pale dot is a run." +
                     (summary.criterion_note.empty() ? "" : " " + summary.criterion_note),
          .svg = interval_chart_svg(chart),
          .wide = true};
}

ReportTable settings_table(const SweepSummary& summary, const std::string& unit) {
  ReportTable table{.title = "Settings"};
  table.note = fmt::format(
      "Losses in {}, after the last epoch: mean over the seeds \u00B1 half the width of the "
      "95 % confidence interval (Student's t).",
      unit);
  if (!summary.criterion_note.empty()) table.note += " " + summary.criterion_note;
  table.columns = summary.keys;
  table.columns.emplace_back("runs");
  for (const SweepFigure& figure : sweep_figures())
    if (summary.validated || !figure.validation) table.columns.emplace_back(figure.title);
  for (const SweepSetting& setting : summary.settings) {
    if (summary.is_best(setting)) table.marked = table.rows.size();
    std::vector<ReportCell> row;
    for (const std::string& value : setting.values) row.push_back({value});
    row.push_back({setting.failed.empty()
                       ? std::to_string(setting.runs.size())
                       : fmt::format("{}, {} failed", setting.runs.size(), setting.failed.size())});
    for (const SweepFigure& figure : sweep_figures())
      if (summary.validated || !figure.validation)
        row.push_back({estimate_text(estimate_of(setting, figure))});
    table.rows.push_back(std::move(row));
  }
  return table;
}

// Folder names contain "%" for characters that they encode, which an URL encodes once more.
std::string url_of(const std::string& name) {
  std::string url;
  for (const char c : name) url += c == '%' ? std::string("%25") : std::string(1, c);
  return url + "/report.html";
}

ReportTable runs_table(const SweepSummary& summary) {
  ReportTable table{.title = "Runs", .columns = {"run"}, .folded = true};
  for (const SweepFigure& figure : sweep_figures())
    if (summary.validated || !figure.validation) table.columns.emplace_back(figure.title);
  for (const SweepSetting& setting : summary.settings)
    for (const FinishedRun* run : setting.runs) {
      std::vector<ReportCell> row = {{run->name, url_of(run->name)}};
      for (const SweepFigure& figure : sweep_figures())
        if (summary.validated || !figure.validation) row.push_back({loss_text(figure.of(*run), 2)});
      table.rows.push_back(std::move(row));
    }
  return table;
}

// The settings that all runs share.
std::vector<std::pair<std::string, std::vector<ReportRow>>> shared_settings(const SweepSummary& summary) {
  std::vector<std::pair<std::string, std::vector<ReportRow>>> groups;
  std::vector<const FinishedRun*> runs;
  for (const SweepSetting& setting : summary.settings)
    runs.insert(runs.end(), setting.runs.begin(), setting.runs.end());
  if (runs.empty()) return groups;
  std::vector<std::vector<ValueGroup>> values;
  for (const FinishedRun* run : runs) values.push_back(values_of(run->config));
  for (std::size_t g = 0; g < values[0].size(); ++g) {
    groups.push_back({values[0][g].name, {}});
    for (std::size_t i = 0; i < values[0][g].values.size(); ++i) {
      const NamedValue& first = values[0][g].values[i];
      const bool same = std::ranges::all_of(
          values, [&](const auto& of_run) { return of_run[g].values[i].value == first.value; });
      if (same && !text_of(first.value).empty())
        groups.back().second.push_back({first.flag.substr(2), text_of(first.value)});
    }
  }
  return groups;
}

std::vector<ReportNumber> sweep_numbers(const SweepSummary& summary, const SweepFacts& facts) {
  std::vector<ReportNumber> numbers;
  std::size_t finished = 0;
  for (const SweepSetting& setting : summary.settings) finished += setting.runs.size();
  if (summary.best) {
    const SweepSetting& best = *summary.best->best;
    numbers.push_back(
        {"Best setting", best.name(summary.keys), "", fmt::format("lowest {}", summary.criterion->title)});
    numbers.push_back({std::string("Its ") + summary.criterion->title,
                       estimate_text(estimate_of(best, *summary.criterion)), facts.unit,
                       counted(std::ssize(best.runs), "run")});
    if (summary.best->next && summary.best->difference.count > 1)
      numbers.push_back({"Distance to the next setting", estimate_text(summary.best->difference), facts.unit,
                         fmt::format("{}, over the same seeds{}", summary.best->next->name(summary.keys),
                                     is_clear(summary.best->difference) ? "" : "; may be chance")});
  }
  numbers.push_back(
      {"Runs", std::to_string(finished), "finished", counted(std::ssize(summary.settings), "setting")});
  return numbers;
}

}  // namespace

ReportPage sweep_page(const SweepSummary& summary, const SweepFacts& facts) {
  ReportPage page{.title = fmt::format("Sweep of {}", facts.program), .subtitle = facts.data};
  for (const auto& [run, why] : facts.failures)
    page.warnings.push_back(fmt::format("{} failed: {}", run, why));
  if (facts.unfinished > 0)
    page.warnings.push_back(fmt::format("{} not finished: the same command continues the sweep.",
                                        counted(static_cast<std::int64_t>(facts.unfinished), "run")));
  if (!summary.why_no_best.empty())
    page.warnings.push_back("There is no best setting: " + summary.why_no_best + ".");
  page.numbers = sweep_numbers(summary, facts);
  page.tables = {settings_table(summary, facts.unit), runs_table(summary)};
  const std::string set = summary.validated ? "Validation" : "Training";
  if (!ranked(summary).empty()) {
    if (summary.criterion) page.pictures.push_back(intervals(summary, facts.unit));
    page.pictures.push_back(curves(summary, set + " loss", facts.unit, &Losses::loss));
    page.pictures.push_back(
        curves(summary, set + " reconstruction term", facts.unit, &Losses::reconstruction));
    page.pictures.push_back(curves(summary, set + " KL term", facts.unit, &Losses::kl));
  }
  page.configuration = shared_settings(summary);
  page.configuration.insert(
      page.configuration.begin(),
      {"How this page was made",
       {{"version", version()}, {"commit", kCommit}, {"command_line", facts.command_line}}});
  return page;
}

}  // namespace gpuvae::apps
