// load_like: reads other data for a model, which must match the model's training data.
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "kernels/check.h"
#include "src/data/readers.h"
#include "src/io/printable.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;
using data::Rows;

// Images must have the model's height and width, not just the same number of values.
void check_shape(Rows& rows, const DataDescription& like) {
  const bool images = rows.height > 1, like_images = like.height > 1;
  if (images && like_images && (rows.height != like.height || rows.width != like.width))
    fail(file_error("read"),
         "{}: expected images of {} x {} (height x width), like the training data, got {} x {}", rows.path,
         like.height, like.width, rows.height, rows.width);
  const std::int64_t expected = std::int64_t{like.height} * like.width,
                     got = static_cast<std::int64_t>(rows.row_size());
  check(expected == got, file_error("read"), "{}: expected {} values per row, like the training data, got {}",
        rows.path, expected, got);
  if (images != like_images)
    rows.notes.push_back(fmt::format("{}: {} of {} values were taken as {} of {} x {}", rows.path,
                                     images ? "images" : "rows", got, like_images ? "images" : "rows",
                                     like.height, like.width));
  if (rows.origin == data::Origin::array && !like.column_names.empty())
    rows.notes.push_back(fmt::format("{}: an array has no names, so its columns were taken as {}", rows.path,
                                     io::printable(fmt::format("{}", fmt::join(like.column_names, ", ")))));
}

// Returns the number of a class of the training data, by its name or, without names, by its digits.
std::optional<std::uint8_t> number_of_class(const std::string& name, const DataDescription& like) {
  if (!like.class_names.empty()) {
    const auto found = std::ranges::find(like.class_names, name);
    if (found == like.class_names.end()) return std::nullopt;
    return static_cast<std::uint8_t>(found - like.class_names.begin());
  }
  std::uint8_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Renumbers labels that have other numbers than in training, such as those of a folder with fewer
// sub-folders. Removes all labels if one of their classes is not among the model's.
void match_classes(Rows& rows, const DataDescription& like) {
  if (rows.classes.empty() || rows.classes == like.class_names) return;
  std::vector<std::uint8_t> numbers;
  for (const std::string& name : rows.classes) {
    const std::optional<std::uint8_t> number = number_of_class(name, like);
    if (!number) {
      const std::string known = like.class_names.empty()
                                    ? "numbers from 0 to 255"
                                    : io::printable(fmt::format("{}", fmt::join(like.class_names, ", ")));
      rows.notes.push_back(fmt::format(
          "{}: the labels are left out, because '{}' is not one of the training data's classes {}", rows.path,
          io::printable(name), known));
      rows.labels.clear();
      return;
    }
    numbers.push_back(*number);
  }
  for (std::uint8_t& label : rows.labels) label = numbers[label];
}

// A column that was constant in training has no scale, so that the model ignores its values.
void note_constant_columns(Rows& rows, const DataDescription& like) {
  const Standardization& by = like.standardization;
  if (std::ranges::find(by.stddev, 0.0) == by.stddev.end()) return;
  std::vector<std::int64_t> others(by.stddev.size());
  rows.for_parts([&](const auto& values, std::size_t first) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t c = (first + i) % others.size();
      // The mean of equal numbers may differ from them in its last bits.
      others[c] += by.stddev[c] == 0 &&
                   std::abs(static_cast<double>(values[i]) - by.mean[c]) > 1e-9 * std::abs(by.mean[c]);
    }
  });
  for (std::size_t c = 0; c < others.size(); ++c)
    if (others[c] > 0)
      rows.notes.push_back(fmt::format(
          "{}: column {} was {:.6g} in all training rows, so the model ignores it: {} of {} rows differ",
          rows.path, like.column_names.empty() ? std::to_string(c) : io::printable(like.column_names[c]),
          by.mean[c], others[c], rows.count()));
}

Dataset conform(Rows& rows, const DataDescription& like, std::vector<std::string>& notes) {
  rows.missing_values = like.missing_values;
  check_shape(rows, like);
  note_constant_columns(rows, like);
  match_classes(rows, like);
  Dataset set = data::conform_rows(rows, like);
  notes.insert(notes.end(), rows.notes.begin(), rows.notes.end());
  return set;
}

}  // namespace

Split load_like(const fs::path& path, const DataDescription& like, Header header, const std::string& variable,
                Placement placement) {
  DatasetOptions options;
  options.placement = placement;
  options.header = header;
  options.variable = variable;
  std::error_code error;
  data::Source source = fs::is_directory(path, error) && has_mnist(path)
                            ? data::source_of(load_mnist(path, placement), path)
                            : data::read_source(path, options, &like);
  Split split{
      .train = {}, .test = {}, .source = std::move(source.description), .description = like, .notes = {}};
  split.train = conform(source.rows, like, split.notes);
  split.test = source.test ? conform(*source.test, like, split.notes) : split.train.slice(0, 0);
  return split;
}

}  // namespace gpuvae
