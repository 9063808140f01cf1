// The summary of a sweep as text: the table for the terminal, and sweep.csv.
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/run/progress.h"
#include "apps/sweep/summary.h"
#include "src/data/counted.h"

namespace gpuvae::apps {
namespace {

// Quotes a field of a CSV file, if necessary.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",;\t\"\n ") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(double value) { return std::isnan(value) ? "" : fmt::format("{:.9g}", value); }

// The number of characters of a UTF-8 text.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The figures of the table; the others are in sweep.csv and on the page.
std::vector<const SweepFigure*> shown_figures(const SweepSummary& summary) {
  std::vector<const SweepFigure*> shown;
  for (const SweepFigure& figure : sweep_figures()) {
    const std::string column = figure.column;
    const bool sum = column.ends_with("plus_kl");
    if (figure.validation && !summary.validated) continue;
    if (sum ? &figure == summary.criterion
            : !summary.validated || figure.validation || column == "train_loss" || column == "train_seconds")
      shown.push_back(&figure);
  }
  return shown;
}

std::string joined(const std::vector<std::uint64_t>& seeds) {
  return fmt::format("{}", fmt::join(seeds, " "));
}

}  // namespace

std::string estimate_text(const Estimate& e) {
  if (e.count == 0) return "-";
  if (e.count == 1) return loss_text(e.mean, 2);
  const int decimals = std::abs(e.mean) < 1 ? 4 : 2;
  return fmt::format("{} \u00B1 {:.{}f}", loss_text(e.mean, decimals), e.half_width, decimals);
}

std::string best_text(const SweepSummary& summary, const std::string& unit) {
  if (!summary.best) return summary.why_no_best.empty() ? "" : "no best setting: " + summary.why_no_best;
  const BestSetting& best = *summary.best;
  const SweepSetting& winner = *best.best;
  std::string text = fmt::format("{}: {} {} {}, {}", winner.name(summary.keys), summary.criterion->title,
                                 estimate_text(estimate_of(winner, *summary.criterion)), unit,
                                 counted(std::ssize(winner.runs), "run"));
  if (!best.next) return text;
  const Estimate& d = best.difference;
  if (d.count < 2) return text + fmt::format("; next is {}", best.next->name(summary.keys));
  return text + fmt::format("; {} is {} higher{}", best.next->name(summary.keys), estimate_text(d),
                            is_clear(d) ? "" : ", which may be chance");
}

std::string summary_text(const SweepSummary& summary, const std::string& unit) {
  const std::vector<const SweepFigure*> figures = shown_figures(summary);
  std::vector<std::vector<std::string>> rows(1, summary.keys);
  rows[0].emplace_back("runs");
  for (const SweepFigure* figure : figures) rows[0].emplace_back(figure->title);
  for (const SweepSetting& setting : summary.settings) {
    rows.push_back(setting.values);
    rows.back().push_back(std::to_string(setting.runs.size()));
    for (const SweepFigure* figure : figures)
      rows.back().push_back(estimate_text(estimate_of(setting, *figure)));
    if (!setting.failed.empty())
      rows.back().push_back(fmt::format("failed: seed {}", joined(setting.failed)));
  }
  std::string text =
      fmt::format("losses in {}: mean over the seeds \u00B1 95 % interval (Student's t)\n", unit);
  if (!summary.criterion_note.empty()) text += summary.criterion_note + "\n";
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      std::size_t width = 0;
      for (const auto& other : rows)
        if (c < other.size() && c < rows[0].size()) width = std::max(width, length(other[c]));
      line += row[c] + std::string(width > length(row[c]) ? width - length(row[c]) : 0, ' ') + "  ";
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  const std::string best = best_text(summary, unit);
  return best.empty() ? text : text + (summary.best ? "best  " : "") + best + "\n";
}

std::string summary_csv(const SweepSummary& summary, const std::string& program, const std::string& unit) {
  std::string text = fmt::format(
      "{}{}: losses in {}, after the last epoch; each figure is a mean over the seeds\n"
      "# *_interval: half the width of the 95 % confidence interval (Student's t); empty below two runs\n"
      "# runs: number of finished runs; failed: seeds of runs that failed\n",
      kSweepMark, program, unit);
  if (!summary.criterion_note.empty()) text += "# " + summary.criterion_note + "\n";
  for (const std::string& key : summary.keys) text += csv_field(key) + ",";
  text += "runs,failed";
  for (const SweepFigure& figure : sweep_figures()) text += fmt::format(",{0},{0}_interval", figure.column);
  text += "\n";
  for (const SweepSetting& setting : summary.settings) {
    for (const std::string& value : setting.values) text += csv_field(value) + ",";
    text += fmt::format("{},{}", setting.runs.size(), joined(setting.failed));
    for (const SweepFigure& figure : sweep_figures()) {
      const bool known = summary.validated || !figure.validation;
      const Estimate e = known ? estimate_of(setting, figure) : Estimate();
      text += fmt::format(",{},{}", csv_number(e.mean), csv_number(e.half_width));
    }
    text += "\n";
  }
  return text;
}

}  // namespace gpuvae::apps
