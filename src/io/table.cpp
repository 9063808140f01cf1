#include "src/io/table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/printable.h"
#include "src/io/table_cells.h"
#include "src/io/table_lines.h"

namespace gpuvae::io {
namespace {

// The lines from which the layout is decided.
constexpr std::size_t kSampleLines = 50, kSampleBytes = std::size_t{1} << 18;

// Minimum number of rows of an index column. A shorter column may count 0, 1, 2, ... by chance.
constexpr std::int64_t kRowsToCount = 5;

constexpr std::size_t kMaxClasses = 256;

// Largest number of columns. A cell needs far more memory than a separator, and a small compressed file can
// hold many separators.
constexpr std::size_t kMaxColumns = std::size_t{1} << 22;

bool is_index_name(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  constexpr const char* kNames[] = {"index",    "id",        "row",        "row_id", "rowid",
                                    "rownames", "row.names", "unnamed: 0", "#"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

// How a column of the file is used.
struct Column {
  enum Use { number, label, skipped };
  Use use = number;
  std::size_t slot = 0;  // its position among the columns of Table::values, if it holds numbers
};

class TableReader {
 public:
  TableReader(const std::filesystem::path& path, const TableOptions& options)
      : path_(path.string()), lines_(path), options_(options) {}

  Table read() {
    const std::vector<TableLine> sample = take_sample();
    check(!sample.empty(), file_error("read"), "{}: expected a table, got {}", path_,
          lines_.number() == 1 ? "an empty file" : "only blank lines and comments");
    layout_ = find_layout(path_, sample, options_.header, options_.expected_names);
    table_.notes = layout_.notes;
    table_.has_names = layout_.has_names;
    choose_columns();
    read_rows(std::span(sample).subspan(layout_.has_names ? 1 : 0));
    check(table_.rows > 0, file_error("read"), "{}: expected rows of numbers, got only a header", path_);
    leave_out_counting_column();
    summarize();
    return std::move(table_);
  }

 private:
  // ---- lines ----

  // Returns false at the end of the file. Skips blank lines and comments.
  bool next_line(std::string_view& line) {
    while (lines_.next(line)) {
      const std::size_t start = line.find_first_not_of(" \t");
      if (start == std::string_view::npos || line[start] == '#') continue;
      while (line.ends_with(' ')) line.remove_suffix(1);
      return true;
    }
    return false;
  }

  std::vector<TableLine> take_sample() {
    std::vector<TableLine> sample;
    std::size_t bytes = 0;
    for (std::string_view line;
         sample.size() < 2 || (sample.size() < kSampleLines && bytes < kSampleBytes);) {
      if (!next_line(line)) break;
      line_ = lines_.number();
      if (sample.empty() && line.find('\0') != std::string_view::npos)
        bad_line(" has zero bytes: not a text file");
      if (sample.empty() && line.find('\r') != std::string_view::npos)
        bad_line(" has carriage returns (CR) inside: expected lines that end with LF or CR LF, got CR alone");
      check_width(line);
      bytes += line.size();
      sample.push_back({line_, std::string(line)});
    }
    return sample;
  }

  void read_rows(std::span<const TableLine> sample) {
    for (const TableLine& line : sample) {
      line_ = line.number;
      if (!is_full()) row(line.text);
    }
    for (std::string_view line; !is_full() && next_line(line);) {
      line_ = lines_.number();
      row(line);
    }
  }
  void check_width(std::string_view line) const {
    for (const char separator : kSeparators)
      if (line.size() > kMaxColumns && std::ranges::count(line, separator) > std::ptrdiff_t{kMaxColumns})
        bad_line(": expected at most {} columns, got more", kMaxColumns);
  }
  bool is_full() const { return options_.max_rows > 0 && table_.rows == options_.max_rows; }

  // ---- columns ----

  void choose_columns() {
    columns_.assign(layout_.names.size(), {});
    for (std::size_t c = 0; c < layout_.names.size(); ++c) places_.try_emplace(layout_.names[c], c);
    if (layout_.empty_last) columns_.back().use = Column::skipped;
    if (options_.by_name) check_names();
    if (!options_.label_column.empty() && (!options_.by_name || has_name(options_.label_column))) {
      const std::size_t label = find_column("label column", options_.label_column);
      columns_[label].use = Column::label;
      table_.label_column = layout_.names[label].empty() ? std::to_string(label) : layout_.names[label];
    }
    if (!options_.columns.empty()) return choose_named_columns();
    const bool keeps_index = options_.header == TableHeader::by_text;
    if (!keeps_index && layout_.has_names && layout_.names[0].empty() && columns_[0].use == Column::number) {
      columns_[0].use = Column::skipped;
      index_text_ = "the first column has no name and was left out as an index";
    }
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].use != Column::number) continue;
      columns_[c].slot = table_.columns.size();
      table_.columns.push_back(layout_.names[c]);
    }
    check_any_column();
    may_count_ = !keeps_index && columns_[0].use == Column::number && table_.columns.size() >= 2;
  }

  void choose_named_columns() {
    for (Column& column : columns_)
      if (column.use == Column::number) column.use = Column::skipped;
    for (const std::string& wanted : options_.columns) {
      const std::size_t c = find_column("column", wanted);
      check(columns_[c].use == Column::skipped, file_error("read"),
            "{}: expected different columns, none of which holds the labels, got '{}' again", path_,
            printable(wanted));
      columns_[c] = {Column::number, table_.columns.size()};
      table_.columns.push_back(layout_.names[c]);
    }
    check_any_column();
    if (options_.by_name) describe_match();
  }

  bool has_name(const std::string& name) const { return places_.contains(name); }

  void check_names() const {
    check(layout_.has_names, file_error("read"),
          "{}: expected a header with the training data's columns {}, got a table without names", path_,
          names_text(options_.columns));
    for (const std::string& name : options_.columns)
      check(has_name(name), file_error("read"), "{}: expected the training data's column '{}', got {}", path_,
            printable(name), names_text(layout_.names));
  }

  // Records for the summary which columns were left out, and whether the others are in a different order.
  void describe_match() {
    std::vector<std::string> left_out;
    bool in_order = true;
    std::size_t next = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].use == Column::number) in_order = in_order && columns_[c].slot == next++;
      if (columns_[c].use == Column::skipped && !layout_.names[c].empty())
        left_out.push_back(layout_.names[c]);
    }
    if (!in_order)
      index_text_ = "the columns are in a different order than in training and were matched by name";
    if (left_out.empty()) return;
    if (!in_order) index_text_ += ", ";
    index_text_ += fmt::format("not used: {}", names_text(left_out));
  }

  static std::string names_text(const std::vector<std::string>& names) {
    constexpr std::size_t kMaxNames = 50;
    const auto some = std::span(names).first(std::min(kMaxNames, names.size()));
    return printable(fmt::format("{}{}", fmt::join(some, ", "), some.size() < names.size() ? ", ..." : ""));
  }

  void check_any_column() const {
    check(!table_.columns.empty(), file_error("read"), "{}: expected columns beside the {}, got none", path_,
          options_.label_column.empty() ? "index" : "labels");
  }

  std::size_t find_column(std::string_view what, const std::string& wanted) const {
    if (const auto named = places_.find(wanted); named != places_.end()) return named->second;
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
    if (error == std::errc() && stop == wanted.data() + wanted.size() && number < layout_.names.size())
      return number;
    fail(file_error("read"), "{}: expected {} '{}' among the {} columns, got {}", path_, what,
         printable(wanted), layout_.names.size(), names_text(layout_.names));
  }

  // ---- rows ----

  void row(std::string_view line) {
    const std::size_t width = table_.columns.size(), start = table_.values.size();
    table_.values.resize(start + width);
    label_ = {};
    if (!plain_row(line, table_.values.data() + start)) unusual_row(line, table_.values.data() + start);
    if (!table_.label_column.empty()) add_label();
    if (may_count_) {
      if (table_.rows == 0) first_count_ = table_.values[start];
      may_count_ = (first_count_ == 0 || first_count_ == 1) &&
                   table_.values[start] == first_count_ + static_cast<double>(table_.rows);
    }
    ++table_.rows;
  }

  // Fast path: reads a row that has no quotes, no plus signs and no errors. Returns false for any other row.
  bool plain_row(std::string_view line, double* out) {
    const char *at = line.data(), *const end = at + line.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      at = skip_spaces(at, end);
      const char* stop = at;
      double value = 0;
      if (columns_[c].use == Column::number) {
        const auto parsed = std::from_chars(at, end, value);
        if (parsed.ec != std::errc() || std::isnan(value)) return false;
        stop = parsed.ptr;
        out[columns_[c].slot] = value;
      } else {
        if (at < end && *at == '"') return false;
        stop = end_of_cell(at, end);
        if (columns_[c].use == Column::label) label_ = trimmed({at, stop});
      }
      const char* next = skip_spaces(stop, end);
      const bool is_last = c + 1 == columns_.size();
      const bool ends = is_last                    ? next == end
                        : layout_.separator == ' ' ? next > stop
                                                   : next < end && *next == layout_.separator;
      if (!ends) return false;
      at = is_last || layout_.separator == ' ' ? next : next + 1;
    }
    return true;
  }

  void unusual_row(std::string_view line, double* out) {
    check_width(line);
    if (!split_cells(line, layout_.separator, cells_))
      bad_line(": unterminated quote, or text after a closing quote");
    if (cells_.size() != columns_.size())
      bad_line(": expected {} cells, got {}", columns_.size(), cells_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].use == Column::label) label_ = cells_[c];
      if (columns_[c].use != Column::number) continue;
      double& value = out[columns_[c].slot];
      const Cell kind = parse_number(cells_[c], value);
      if (kind == Cell::missing && options_.missing_values) {
        value = std::numeric_limits<double>::quiet_NaN();
        continue;
      }
      if (kind != Cell::number) bad_cell(c, kind, cells_[c]);
    }
  }

  void add_label() {
    if (kind_of(label_) == Cell::missing) {
      const auto label = std::ranges::find(columns_, Column::label, &Column::use);
      bad_cell(static_cast<std::size_t>(label - columns_.begin()), Cell::missing, label_);
    }
    const auto [found, is_new] =
        label_ids_.try_emplace(std::string(label_), static_cast<std::uint32_t>(table_.label_texts.size()));
    if (is_new) table_.label_texts.emplace_back(label_);
    table_.labels.push_back(found->second);
    if (table_.label_texts.size() > 4 * kMaxClasses)
      fail(file_error("read"), "{}: expected at most {} classes in label column '{}', got more", path_,
           kMaxClasses, shown(table_.label_column));
  }

  // ---- the index column ----

  // Removes the first column if it counts the rows from 0 or 1 in a table of at least kRowsToCount rows. If
  // the column has a name, this must be the name of an index.
  void leave_out_counting_column() {
    if (!may_count_ || table_.rows < kRowsToCount) return;
    const std::string name = table_.columns[0];
    if (layout_.has_names && !is_index_name(name)) {
      table_.notes.push_back(fmt::format(
          "{}: column '{}' counts the rows and is used like any other column (--columns can leave it out)",
          path_, shown(name)));
      return;
    }
    index_text_ = layout_.has_names
                      ? fmt::format("column '{}' counts the rows and was left out as an index", shown(name))
                      : "the first column counts the rows and was left out as an index";
    const std::size_t width = table_.columns.size();
    double* kept = table_.values.data();
    for (std::size_t i = 0; i < table_.values.size(); ++i)
      if (i % width != 0) *kept++ = table_.values[i];
    table_.values.resize(static_cast<std::size_t>(kept - table_.values.data()));
    table_.columns.erase(table_.columns.begin());
  }

  void summarize() {
    table_.summary = fmt::format("{}: {}", path_, layout_.summary);
    if (layout_.empty_last) table_.summary += ", the empty last column was left out";
    if (!index_text_.empty()) table_.summary += ", " + index_text_;
    if (!table_.label_column.empty())
      table_.summary += fmt::format(", the labels are in column '{}'", shown(table_.label_column));
  }

  // ---- errors ----

  template <class... Args>
  [[noreturn]] void bad_line(fmt::format_string<Args...> reason, Args&&... args) const {
    fail(file_error("read"), "{}: line {}{}", path_, line_, fmt::format(reason, std::forward<Args>(args)...));
  }

  [[noreturn]] void bad_cell(std::size_t column, Cell kind, std::string_view cell) const {
    const std::string where = layout_.has_names ? fmt::format("column '{}'", shown(layout_.names[column]))
                                                : fmt::format("column {} (from 0)", column);
    const std::string text = shown(cell);
    if (kind == Cell::missing) bad_line(", {}: missing value, got '{}'", where, text);
    if (kind == Cell::beyond_f64)
      bad_line(", {}: expected a number within 64-bit floats, got {}", where, text);
    bad_line(", {}: expected a number, got '{}'", where, text);
  }

  // ---- cells ----

  bool is_space(char c) const { return c == ' ' || (c == '\t' && layout_.separator != '\t'); }
  const char* skip_spaces(const char* at, const char* end) const {
    while (at < end && is_space(*at)) ++at;
    return at;
  }
  const char* end_of_cell(const char* at, const char* end) const {
    return std::find_if(
        at, end, [&](char c) { return c == layout_.separator || (layout_.separator == ' ' && c == '\t'); });
  }
  std::string_view trimmed(std::string_view text) const {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
  }

  std::string path_;
  LineReader lines_;
  const TableOptions& options_;
  std::int64_t line_ = 0;  // the number of the current line, for errors
  TableLayout layout_;
  std::vector<Column> columns_;                          // of the file
  std::unordered_map<std::string, std::size_t> places_;  // the first column of each name
  Table table_;
  std::vector<std::string> cells_;  // of an unusual row
  std::string_view label_;          // of the current row
  std::unordered_map<std::string, std::uint32_t> label_ids_;
  bool may_count_ = false;  // whether the first column has counted all rows so far
  double first_count_ = 0;
  std::string index_text_;
};

}  // namespace

Table read_table(const std::filesystem::path& path, const TableOptions& options) {
  return TableReader(path, options).read();
}

Table read_csv(const std::filesystem::path& path, std::int64_t max_rows) {
  const TableOptions options{.header = TableHeader::by_text, .max_rows = max_rows};
  return TableReader(path, options).read();
}

}  // namespace gpuvae::io
