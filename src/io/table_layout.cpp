#include "src/io/table_layout.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/table_cells.h"

namespace gpuvae::io {
namespace {

using Line = std::vector<std::string>;  // cells

// Minimum numbers of columns for a first line 0, 1, 2, ... to be taken as a header: in tables of whole
// numbers, and in other tables. A narrower table may contain such a row by chance.
constexpr std::size_t kManyColumns = 8, kSomeColumns = 4;

const char* name_of(char separator) {
  switch (separator) {
    case '\t':
      return "tabs";
    case ';':
      return "semicolons";
    case ',':
      return "commas";
    case '|':
      return "vertical bars";
    default:
      return "spaces";
  }
}

// Returns the whole number in a cell that is written without sign, point, exponent or leading zeros.
std::optional<std::int64_t> plain_integer(const std::string& cell) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || value < 0 || std::to_string(value) != cell) return {};
  return value;
}

bool all_integers(const Line& cells) {
  return std::ranges::all_of(cells, [](const std::string& c) { return plain_integer(c).has_value(); });
}

// Whether the cells are whole numbers k, k + 1, k + 2, ...
bool is_consecutive(const Line& cells) {
  std::int64_t before = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto value = plain_integer(cells[i]);
    if (!value || (i > 0 && *value - 1 != before)) return false;  // plain integers are not negative
    before = *value;
  }
  return true;
}

// Whether the cells are numbers, in any notation, each of which is 1 more than the one before.
bool counts_by_value(const Line& cells) {
  double before = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    double value = 0;
    if (parse_number(cells[i], value) != Cell::number || (i > 0 && value != before + 1)) return false;
    before = value;
  }
  return true;
}

bool is_increasing(const Line& cells) {
  double before = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    double value = 0;
    if (parse_number(cells[i], value) != Cell::number || (i > 0 && !(value > before))) return false;
    before = value;
  }
  return true;
}

// Whether the first cells of the rows are names or count 0, 1, ... or 1, 2, ...
bool are_row_names(std::span<const Line> rows) {
  Line first;
  for (const Line& row : rows) first.push_back(row[0]);
  if (std::ranges::all_of(first, [](const std::string& c) { return kind_of(c) == Cell::text; })) return true;
  return is_consecutive(first) && *plain_integer(first[0]) <= 1;
}

class LayoutFinder {
 public:
  LayoutFinder(std::string path, const std::vector<TableLine>& lines, TableHeader header,
               const std::vector<std::string>& expected)
      : path_(std::move(path)), lines_(lines), header_(header), expected_(expected) {}

  TableLayout find() {
    choose_separator();
    layout_.has_row_names = fits_row_names();
    layout_.has_names = layout_.has_row_names || has_names();
    name_columns();
    layout_.summary = fmt::format("{} separate the columns, {}", name_of(layout_.separator), header_text_);
    return std::move(layout_);
  }

 private:
  const Line& first() const { return cells_[0]; }
  std::span<const Line> rows() const { return std::span(cells_).subspan(1); }

  [[noreturn]] void doubtful(std::string_view reason) const {
    fail(file_error("read"), "{}: line {} may be a header or a row ({}): say which with --header yes or no",
         path_, lines_[0].number, reason);
  }

  // ---- the separator ----

  void choose_separator() {
    for (const char separator : kSeparators)
      if (split(separator) && fits()) return;
    // A header of several words may stand above a single column of numbers.
    const auto is_single = [](const TableLine& line) {
      return line.text.find_first_of(kSeparators, line.text.find_first_not_of(" \t")) == std::string::npos;
    };
    const std::string unquoted = without_quoted(lines_[0].text);
    char chosen = ' ';
    for (const char separator : kSeparators)
      if (unquoted.find(separator) != std::string::npos) {
        chosen = separator;
        break;
      }
    if (chosen == ' ' && lines_.size() > 1 && std::all_of(lines_.begin() + 1, lines_.end(), is_single))
      chosen = ',';
    if (!split(chosen))
      fail(file_error("read"), "{}: line {}: unterminated quote, or text after a closing quote", path_,
           bad_line_);
  }

  bool split(char separator) {
    layout_.separator = separator;
    cells_.assign(lines_.size(), {});
    for (std::size_t i = 0; i < lines_.size(); ++i)
      if (!split_cells(lines_[i].text, separator, cells_[i])) {
        bad_line_ = lines_[i].number;
        return false;
      }
    return true;
  }

  bool fits() const {
    const std::size_t width = cells_.back().size();
    const auto has_width = [&](const Line& row) { return row.size() == width; };
    return width >= 2 && std::ranges::all_of(rows(), has_width) &&
           (first().size() == width || fits_row_names());
  }

  // Whether line 1 has one cell fewer than the rows, as in tables that R writes with row names.
  bool fits_row_names() const {
    if (header_ != TableHeader::automatic && header_ != TableHeader::yes) return false;
    const std::size_t width = first().size() + 1;
    return rows().size() >= 2 &&
           std::ranges::all_of(rows(), [&](const Line& row) { return row.size() == width; }) &&
           std::ranges::any_of(first(), [](const auto& c) { return kind_of(c) == Cell::text; }) &&
           are_row_names(rows());
  }

  // ---- the header ----

  bool has_names() {
    const bool any_text = std::ranges::any_of(first(), [](auto& c) { return kind_of(c) == Cell::text; });
    if (header_ == TableHeader::by_text) return any_text;
    if (header_ != TableHeader::automatic) return header_ == TableHeader::yes;
    const std::set<std::string_view> names(first().begin(), first().end());
    const auto is_first = [&](const std::string& name) { return names.contains(name); };
    if (!expected_.empty() && std::ranges::all_of(expected_, is_first)) return true;
    if (any_text) return rows().empty() || text_is_header();
    if (rows().empty() || ragged()) return false;
    return first()[0].empty() ? unnamed_first_is_header() : numbers_are_header();
  }

  bool ragged() const {
    return std::ranges::any_of(rows(), [&](const Line& row) { return row.size() != first().size(); });
  }

  // Text in line 1 is a name, unless the same column also holds text in the rows below, as a column of class
  // names does.
  bool text_is_header() {
    Line numbers;
    bool reappears = false;
    for (std::size_t c = 0; c < first().size(); ++c) {
      if (kind_of(first()[c]) != Cell::text) {
        numbers.push_back(first()[c]);
        continue;
      }
      bool text_below = false;
      for (const Line& row : rows()) {
        if (c >= row.size()) continue;
        text_below |= kind_of(row[c]) == Cell::text;
        reappears |= row[c] == first()[c];
      }
      if (!text_below) return true;
    }
    if (numbers.empty() || ragged()) return true;
    if (numbers[0].empty()) numbers.erase(numbers.begin());
    if (!numbers.empty() && numbers[0] == "0" && is_consecutive(numbers) && numbers.size() > 1) return true;
    if (first()[0].empty() || numbers.empty()) return true;
    if (!reappears) doubtful("its text is in columns of text and its numbers are in columns of numbers");
    note_row("its text occurs again in the same column below");
    return false;
  }

  bool unnamed_first_is_header() {
    const Line numbers(first().begin() + 1, first().end());
    if (!numbers.empty() && numbers[0] == "0" && is_consecutive(numbers)) return true;
    const bool empty_below = std::ranges::any_of(rows(), [](const Line& row) { return row[0].empty(); });
    if (!empty_below && numbers.size() > 1) doubtful("its first cell is empty and the others are numbers");
    return false;
  }

  bool numbers_are_header() {
    const std::size_t count = first().size();
    if (count < 2) return false;
    const bool whole_below = std::ranges::all_of(rows(), all_integers);
    if (is_consecutive(first()) && (count > 2 || first()[0] == "0") && !is_consecutive(rows()[0])) {
      const bool by_pandas = first()[0] == "0";
      if (by_pandas && count >= (whole_below ? kManyColumns : kSomeColumns)) {
        layout_.notes.push_back(fmt::format(
            "{}: line {} counts 0, 1, ..., {} as pandas writes a header and was taken as one (--header no "
            "takes it as a row)",
            path_, lines_[0].number, count - 1));
        return true;
      }
      if (by_pandas || !whole_below)
        doubtful(fmt::format("its cells count {}, {}, ...", first()[0], first()[1]));
    } else if (may_count(whole_below)) {
      doubtful(fmt::format("its cells count {}, {}, ...", first()[0], first()[1]));
    }
    if (count >= kManyColumns && rows().size() >= 3 && is_increasing(first()) &&
        std::ranges::none_of(rows(), is_increasing))
      doubtful("its numbers increase from cell to cell, and those of the rows below do not");
    const auto no_integers = [](const Line& row) {
      return std::ranges::none_of(row, [](const auto& cell) { return plain_integer(cell).has_value(); });
    };
    if (rows().size() >= 3 && all_integers(first()) && std::ranges::all_of(rows(), no_integers))
      note_row("it holds whole numbers only, and the rows below hold none");
    return false;
  }

  // Whether line 1 is 0, 1, 2, ... above a row that continues this count, or numbers such as 0.0, 1.0, 2.0
  // above a row that does not count.
  bool may_count(bool whole_below) const {
    if (first()[0] == "0" && is_consecutive(first())) return true;
    return first().size() > 2 && !whole_below && counts_by_value(first()) && !counts_by_value(rows()[0]);
  }

  void note_row(std::string_view reason) {
    layout_.notes.push_back(fmt::format("{}: line {} was taken as a row: {} (--header yes takes it as names)",
                                        path_, lines_[0].number, reason));
  }

  // ---- the names ----

  void name_columns() {
    layout_.names = first();
    if (layout_.has_row_names) layout_.names.insert(layout_.names.begin(), "");
    header_text_ = fmt::format("line {} holds their names", lines_[0].number);
    if (!layout_.has_names) {
      for (std::size_t i = 0; i < first().size(); ++i) layout_.names[i] = std::to_string(i);
      header_text_ = fmt::format("line {} is a row, the columns have no names", lines_[0].number);
    }
    if (header_ == TableHeader::by_text) return;
    layout_.empty_last =
        layout_.names.size() > 1 && (!layout_.has_names || layout_.names.back().empty()) &&
        std::ranges::all_of(layout_.has_names ? rows() : std::span<const Line>(cells_), [&](const Line& row) {
          return row.size() == layout_.names.size() && row.back().empty();
        });
    if (layout_.has_names) make_unique();
  }

  void make_unique() {
    std::set<std::string> seen;
    std::map<std::string, int> copies;  // per name, so that many equal names do not take quadratic time
    for (std::size_t c = 0; c < layout_.names.size(); ++c) {
      std::string& name = layout_.names[c];
      if (name.empty() && (c == 0 || (layout_.empty_last && c + 1 == layout_.names.size()))) continue;
      const std::string given = name;
      if (name.empty()) name = fmt::format("unnamed {}", c);
      while (!seen.insert(name).second) name = fmt::format("{}.{}", given, ++copies[given]);
      if (name != given)
        layout_.notes.push_back(
            fmt::format("{}: column {} (from 0) is called '{}', because its name '{}' is {}", path_, c,
                        shown(name), shown(given), given.empty() ? "empty" : "taken"));
    }
  }

  std::string path_;
  const std::vector<TableLine>& lines_;
  TableHeader header_;
  const std::vector<std::string>& expected_;
  std::vector<Line> cells_;  // of each line
  std::int64_t bad_line_ = 0;
  TableLayout layout_;
  std::string header_text_;
};

}  // namespace

TableLayout find_layout(const std::string& path, const std::vector<TableLine>& lines, TableHeader header,
                        const std::vector<std::string>& expected_names) {
  return LayoutFinder(path, lines, header, expected_names).find();
}

}  // namespace gpuvae::io
