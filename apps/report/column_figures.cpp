#include "apps/report/column_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

constexpr std::size_t kShownColumns = 30;
// Rows of many columns are fewer, so that all values fit into memory twice.
constexpr std::int64_t kLargestCount = 5000, kSmallestCount = 100, kComparedValues = 4'000'000;
constexpr std::size_t kListedColumns = 1000;

struct MeanAndStddev {
  double mean = 0, stddev = 0;
};
MeanAndStddev moments_of(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  MeanAndStddev m;
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.stddev += (v - m.mean) * (v - m.mean) / n;
  m.stddev = std::sqrt(m.stddev);
  return m;
}

// Both samples must be sorted.
double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double value = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= value) ++i;
    while (j < b.size() && b[j] <= value) ++j;
    const double difference = static_cast<double>(i) / static_cast<double>(a.size()) -
                              static_cast<double>(j) / static_cast<double>(b.size());
    largest = std::max(largest, std::abs(difference));
  }
  return largest;
}

double value_at(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

// The bins of a histogram. Values outside their range count in the first or last bin.
struct Bins {
  double low = 0, high = 1;
  std::size_t count = 24;

  std::vector<double> shares(const std::vector<double>& values) const {
    std::vector<double> result(count);
    for (const double v : values) {
      const double at = std::floor((v - low) / (high - low) * static_cast<double>(count));
      const double bin = std::clamp(at, 0.0, static_cast<double>(count - 1));
      result[static_cast<std::size_t>(bin)] += 1 / static_cast<double>(values.size());
    }
    return result;
  }
};

// Whether a value is a whole number, up to the rounding of a standardised value to f32.
bool is_whole_number(double v) { return std::abs(v - std::round(v)) <= 1e-5 * (1 + std::abs(v)); }

// A bin per whole number if the real values are few whole numbers; else bins over all but the outermost
// hundredth of the values.
Bins bins_of(const std::vector<double>& real, const std::vector<double>& generated) {
  constexpr double kTail = 0.005, kWholeNumbers = 40;
  const double first = std::round(real.front()), last = std::round(real.back());
  if (std::ranges::all_of(real, is_whole_number) && last - first < kWholeNumbers)
    return {first - 0.5, last + 0.5, static_cast<std::size_t>(last - first) + 1};
  const double low = std::min(value_at(real, kTail), value_at(generated, kTail)),
               high = std::max(value_at(real, 1 - kTail), value_at(generated, 1 - kTail));
  return high > low ? Bins{low, high} : Bins{low - 0.5, low + 0.5};
}

// Returns the values of a column that are not missing, in order.
std::vector<double> column_of(const std::vector<double>& rows, std::size_t column, std::size_t width) {
  std::vector<double> values;
  for (std::size_t i = column; i < rows.size(); i += width)
    if (!std::isnan(rows[i])) values.push_back(rows[i]);
  std::ranges::sort(values);
  return values;
}

std::string short_number(double value) { return fmt::format("{:.3g}", value); }

// The distance below which 19 of 20 pairs of samples of one distribution are, for large samples.
double usual_distance(const ColumnReport& r) {
  return 1.358 *
         std::sqrt(1.0 / static_cast<double>(r.real_rows) + 1.0 / static_cast<double>(r.generated_rows));
}

std::vector<double> rows_in_units(const Session& s, const Tensor& rows) {
  const std::vector<float> values = rows.to_vector();
  const DataDescription like = s.feature_description();
  if (!like.standardization.empty() || like.values.scaled) return restored(like, values);
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<ColumnComparison> compare_columns(const std::vector<std::string>& names,
                                              const std::vector<double>& real,
                                              const std::vector<double>& generated) {
  const std::size_t width = names.size();
  check(width > 0 && !real.empty() && !generated.empty() && real.size() % width == 0 &&
            generated.size() % width == 0,
        "report", "expected rows of {} columns, got {} and {} values", width, real.size(), generated.size());
  std::vector<ColumnComparison> columns;
  for (std::size_t c = 0; c < width; ++c) {
    const std::vector<double> a = column_of(real, c, width), b = column_of(generated, c, width);
    if (a.empty() || b.empty()) continue;
    const MeanAndStddev of_real = moments_of(a), of_generated = moments_of(b);
    const Bins bins = bins_of(a, b);
    ColumnComparison column{names[c],
                            of_real.mean,
                            of_real.stddev,
                            of_generated.mean,
                            of_generated.stddev,
                            largest_difference(a, b),
                            {}};
    column.panel = {names[c],
                    fmt::format("distance {:.3f}", column.distance),
                    short_number(bins.low),
                    short_number(bins.high),
                    bins.shares(a),
                    bins.shares(b)};
    columns.push_back(std::move(column));
  }
  return columns;
}

ColumnReport column_report(const Session& s) {
  const std::int64_t most =
      std::clamp(kComparedValues / s.model().options().features, kSmallestCount, kLargestCount);
  const Dataset set = s.images("validation", most);
  ColumnReport report;
  report.drawn_from = decoder_name(s);
  report.real_rows = report.generated_rows = set.count();
  const Tensor real = gather_batch(set, set.count(), {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  // The generated rows of a conditional model have the conditions of the real ones.
  const Tensor generated =
      s.model().sample_prior(set.count(), s.config().seed, s.model().condition_of(real)).x;
  std::vector<std::string> names = s.column_names();
  names.resize(std::min(names.size(), static_cast<std::size_t>(s.model().options().features)));
  for (std::size_t i = names.size(); i < static_cast<std::size_t>(s.model().options().features); ++i)
    names.push_back(fmt::format("x{}", i));
  report.columns = compare_columns(names, rows_in_units(s, s.model().features_of(real).value()),
                                   rows_in_units(s, generated));
  return report;
}

Figure column_figure(const ColumnReport& r) {
  std::vector<std::size_t> order(r.columns.size());
  std::iota(order.begin(), order.end(), 0);
  const bool some = order.size() > kShownColumns;
  if (some) {
    std::ranges::stable_sort(
        order, [&](std::size_t a, std::size_t b) { return r.columns[a].distance > r.columns[b].distance; });
    order.resize(kShownColumns);
  }
  HistogramSheet sheet{"Generated beside real values", "real", "generated", {}};
  for (const std::size_t c : order) sheet.panels.push_back(r.columns[c].panel);
  std::string caption = fmt::format(
      "{} real rows, and {} draws of x from {} with z from the prior. The distance is the largest "
      "difference of the two distribution functions; for rows of one distribution, it is below {:.3f} 19 "
      "times out of 20.",
      count_text(r.real_rows), count_text(r.generated_rows), r.drawn_from, usual_distance(r));
  if (some)
    caption += fmt::format(" The {} of {} columns that differ most; a table below lists all.", kShownColumns,
                           count_text(static_cast<std::int64_t>(r.columns.size())));
  return {"columns.svg", {sheet.title, caption, histogram_sheet_svg(sheet), "", true}};
}

ReportTable column_table(const ColumnReport& r) {
  ReportTable table;
  table.title = "Columns of generated and real rows";
  table.columns = {
      "Column",  "Real mean", "Real standard deviation", "Generated mean", "Generated standard deviation",
      "Distance"};
  table.folded = true;
  if (r.columns.size() > kListedColumns)
    table.note = fmt::format("The first {} of {} columns.", kListedColumns,
                             count_text(static_cast<std::int64_t>(r.columns.size())));
  for (const ColumnComparison& c : std::span(r.columns).first(std::min(kListedColumns, r.columns.size())))
    table.rows.push_back({{c.name},
                          {fmt::format("{:.5g}", c.real_mean)},
                          {fmt::format("{:.5g}", c.real_stddev)},
                          {fmt::format("{:.5g}", c.generated_mean)},
                          {fmt::format("{:.5g}", c.generated_stddev)},
                          {fmt::format("{:.3f}", c.distance)}});
  return table;
}

}  // namespace gpuvae::apps
