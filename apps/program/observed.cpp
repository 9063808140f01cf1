#include "apps/program/observed.h"

#include <cmath>

#include "apps/run/other_data.h"
#include "src/data/parts.h"
#include "src/data/readers.h"

namespace gpuvae::apps {
namespace {

// All rows of a file in f64.
struct FileRows {
  std::vector<double> values;
  std::size_t width = 0;
  std::int64_t first_row = 0;

  std::int64_t count() const {
    return static_cast<std::int64_t>(values.size() / std::max<std::size_t>(width, 1));
  }
};

// Reads the file as the session did. The columns of a table with names are in the order of the model, whose
// condition comes last.
FileRows read_rows(const Session& s, const std::string& input) {
  const DataDescription& d = s.description();
  DatasetOptions options = data_options(s.config());
  const bool by_name = !d.column_names.empty();
  if (by_name || !input.empty()) {
    options.columns.clear();
    options.label_column.clear();
  }
  const data::Source source = data::read_source(input.empty() ? s.config().data.path : input, options,
                                                by_name || !input.empty() ? &d : nullptr);
  FileRows rows;
  if (source.test) return rows;
  rows.width = source.rows.row_size();
  rows.first_row = source.rows.first_row;
  source.rows.for_parts([&](const auto& part, std::size_t) {
    for (const auto value : part) rows.values.push_back(static_cast<double>(value));
  });
  return rows;
}

// The value of the model for a value of the file.
double value_of_model(const DataDescription& d, std::size_t column, double value) {
  if (!d.standardization.empty()) {
    const double stddev = d.standardization.stddev[column];
    return stddev == 0 ? 0 : (value - d.standardization.mean[column]) / stddev;
  }
  if (d.values.scaled) return (value - d.values.low) / (d.values.high - d.values.low);
  return d.values.kind == ValueKind::bytes ? value / 255 : value;
}

}  // namespace

std::vector<double> observed_values(const Session& s, const std::string& input, const Dataset& examples) {
  const FileRows file = read_rows(s, input);
  const auto features = static_cast<std::size_t>(s.model().options().features);
  if (file.width < features) return {};
  std::vector<double> observed(static_cast<std::size_t>(examples.count()) * features, NAN);
  bool same = true;
  data::for_parts(examples, [&](const Tensor& part, std::int64_t first) {
    const auto width = static_cast<std::size_t>(part.shape()[1]);
    for (std::int64_t row = 0; row < part.shape()[0]; ++row) {
      const std::int64_t at = examples.row_number(first + row) - file.first_row;
      if (!(same = same && at >= 0 && at < file.count())) return;
      for (std::size_t c = 0; c < features; ++c) {
        constexpr double kRounding = 1e-5;
        const double x = part.data_as<float>()[static_cast<std::size_t>(row) * width + c];
        const double read = file.values[static_cast<std::size_t>(at) * file.width + c];
        if (std::isnan(x)) continue;
        same =
            same && std::abs(value_of_model(s.description(), c, read) - x) <= kRounding * (1 + std::abs(x));
        observed[static_cast<std::size_t>(first + row) * features + c] = read;
      }
    }
  });
  return same ? observed : std::vector<double>();
}

}  // namespace gpuvae::apps
