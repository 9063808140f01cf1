// Tables of text as rows: columns, labels and class names.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/readers.h"
#include "src/io/printable.h"
#include "src/io/table.h"
#include "src/io/table_cells.h"

namespace gpuvae::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxClasses = 256;

io::TableOptions table_options(const DatasetOptions& options, const DataDescription* like) {
  io::TableOptions o{.header = static_cast<io::TableHeader>(options.header),
                     .columns = options.columns,
                     .label_column = options.label_column,
                     .expected_names = {},
                     .missing_values = options.missing_values || (like && like->missing_values),
                     .max_rows = options.max_rows};
  if (!like) return o;
  o.columns = like->column_names;
  o.expected_names = like->column_names;
  o.by_name = !like->column_names.empty();
  o.label_column = o.by_name ? like->label_column : "";
  return o;
}

// Returns the number of columns of a table, or 0 if its first row cannot be read.
std::int64_t width_of(const fs::path& path, io::TableOptions options) try {
  options.max_rows = 1;
  return std::ssize(io::read_table(path, options).columns);
} catch (const Error&) {
  return 0;
}

// Reads a table. If the model's columns have no names, the table has as many columns as the model, or one
// more that holds the labels. Without its label column, a table with class names is not a table of numbers.
io::Table read_matching(const fs::path& path, const io::TableOptions& options, const DataDescription* like) {
  if (!like || options.by_name || like->label_column.empty()) return io::read_table(path, options);
  io::TableOptions labelled = options;
  labelled.label_column = like->label_column;
  try {
    io::Table table = io::read_table(path, options);
    if (std::ssize(table.columns) != like->width + 1) return table;
  } catch (const Error&) {
    if (width_of(path, labelled) != like->width) throw;
  }
  return io::read_table(path, labelled);
}

// ---- labels ----

void take_numbers(Rows& rows, const io::Table& table) {
  std::vector<std::uint8_t> values;
  for (const std::string& text : table.label_texts) {
    double value = -1;
    io::parse_number(text, value);
    if (!(value >= 0 && value <= 255 && value == std::trunc(value))) {
      const auto row = std::ranges::find(table.labels, values.size()) - table.labels.begin();
      fail(file_error("read"),
           "{}: expected whole numbers from 0 to 255 as labels, got {} in row {} (from 0), column '{}'",
           rows.path, io::shown(text), row, io::shown(table.label_column));
    }
    values.push_back(static_cast<std::uint8_t>(value));
  }
  for (const std::uint32_t label : table.labels) rows.labels.push_back(values[label]);
}

// Sets each label to the position of its text in `classes`, which is sorted. If a text is missing there,
// leaves out all labels and adds a note.
void take_names(Rows& rows, const io::Table& table, std::vector<std::string> classes) {
  std::vector<std::uint8_t> numbers;
  for (const std::string& text : table.label_texts) {
    const auto found = std::ranges::find(classes, text);
    if (found == classes.end()) {
      rows.notes.push_back(fmt::format(
          "{}: the labels are left out, because '{}' is not one of the training "
          "data's classes {}",
          rows.path, io::shown(text), io::printable(fmt::format("{}", fmt::join(classes, ", ")))));
      return;
    }
    numbers.push_back(static_cast<std::uint8_t>(found - classes.begin()));
  }
  for (const std::uint32_t label : table.labels) rows.labels.push_back(numbers[label]);
  rows.classes = std::move(classes);
}

void take_labels(Rows& rows, const io::Table& table, const DataDescription* like) {
  if (table.label_column.empty()) return;
  rows.label_column = table.label_column;
  if (like && !like->class_names.empty()) return take_names(rows, table, like->class_names);
  const auto is_text = [](const std::string& label) { return io::kind_of(label) == io::Cell::text; };
  if (std::ranges::none_of(table.label_texts, is_text)) return take_numbers(rows, table);
  std::vector<std::string> classes = table.label_texts;
  check(classes.size() <= kMaxClasses, file_error("read"),
        "{}: expected at most {} classes in label column '{}', got {}", rows.path, kMaxClasses,
        io::shown(table.label_column), classes.size());
  std::ranges::sort(classes);
  take_names(rows, table, std::move(classes));
}

std::string class_text(const std::vector<std::string>& classes) {
  constexpr std::size_t kMaxNames = 10;
  if (classes.empty()) return "";
  const auto some = std::span(classes).first(std::min(kMaxNames, classes.size()));
  return io::printable(fmt::format(" ({}: {}{})", counted(std::ssize(classes), "class"),
                                   fmt::join(some, ", "), some.size() < classes.size() ? ", ..." : ""));
}

}  // namespace

Source read_table_rows(const fs::path& path, const DatasetOptions& options, const DataDescription* like) {
  io::Table table = read_matching(path, table_options(options, like), like);
  Source source{.rows = {.path = path.string()}};
  Rows& rows = source.rows;
  rows.origin = Origin::text;
  take_labels(rows, table, like);
  rows.notes.insert(rows.notes.begin(), table.summary + class_text(rows.classes));
  rows.notes.insert(rows.notes.end(), table.notes.begin(), table.notes.end());
  if (like && like->column_names.empty() && table.has_names)
    rows.notes.push_back(fmt::format(
        "{}: the training data had no names of columns, so the columns were matched by their position",
        rows.path));
  rows.width = to_int(rows.path, std::ssize(table.columns));
  rows.values = std::move(table.values);
  source.description = fmt::format("{}: {}", short_name(path), counted(rows.width, "column"));
  if (!table.label_column.empty())
    source.description += fmt::format(", labels from '{}'", io::shown(table.label_column));
  if (table.has_names) rows.columns = std::move(table.columns);
  return source;
}

}  // namespace gpuvae::data
