#include "apps/program/latent_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "apps/cli/text.h"
#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/io/file.h"
#include "src/io/npy.h"
#include "src/io/printable.h"
#include "src/io/table.h"
#include "src/io/table_cells.h"
#include "src/io/table_lines.h"

namespace gpuvae::apps {

namespace {

constexpr const char* kClassColumn = "class";

// Quotes a column name for the first line of a CSV file, if necessary.
std::string csv_quoted(const std::string& name) {
  if (name.find_first_of(",;\t\" ") == std::string::npos) return name;
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

bool has_classes(const Rows& rows) { return !rows.labels.empty() && !rows.class_names.empty(); }

// Appends a row as CSV. Twelve digits preserve the precision of an f32 value to which a large mean was added.
void append_row(std::string& text, const Rows& rows, std::size_t row) {
  const auto out = std::back_inserter(text);
  const std::size_t width = rows.columns.size();
  if (!rows.labels.empty()) fmt::format_to(out, "{},", rows.labels[row]);
  for (std::size_t c = 0; c < width; ++c) {
    if (c > 0) text += ',';
    const std::size_t at = row * width + c;
    if (!rows.observed.empty() && !std::isnan(rows.observed[at]))
      fmt::format_to(out, "{}", rows.observed[at]);
    else if (rows.exact.empty())
      fmt::format_to(out, "{}", rows.values[at]);
    else
      fmt::format_to(out, "{:.12g}", rows.exact[at]);
  }
  if (!rows.row_numbers.empty()) fmt::format_to(out, ",{}", rows.row_numbers[row]);
  if (has_classes(rows)) fmt::format_to(out, ",{}", csv_quoted(rows.class_names.at(rows.labels[row])));
  if (!rows.row_classes.empty()) fmt::format_to(out, ",{}", csv_quoted(rows.row_classes.at(row)));
  text += '\n';
}

std::vector<double> with_observed(std::vector<double> values, const std::vector<double>& observed) {
  for (std::size_t i = 0; i < observed.size(); ++i)
    if (!std::isnan(observed[i])) values[i] = observed[i];
  return values;
}

std::vector<float> checked(const std::filesystem::path& path, std::vector<float> codes) {
  for (const float z : codes)
    check(std::isfinite(z), "decode", "{}: expected finite latent codes, got {}", path.string(), z);
  return codes;
}

// Whether a CSV file is one of latent codes whose last column holds the names of classes.
bool names_classes(const std::filesystem::path& path) {
  io::LineReader lines(path);
  std::string_view line;
  std::vector<std::string> cells;
  return lines.next(line) && io::split_cells(line, ',', cells) && cells.back() == kClassColumn &&
         std::ranges::count(cells, "z1") > 0;
}

// The columns z1, z2, ..., or all columns if none of them has such a name.
std::vector<std::size_t> code_columns(const std::filesystem::path& path, const io::Table& table,
                                      std::size_t latent) {
  const auto& names = table.columns;
  const auto find = [&](std::size_t d) {
    return static_cast<std::size_t>(std::ranges::find(names, fmt::format("z{}", d + 1)) - names.begin());
  };
  std::vector<std::size_t> columns(latent);
  if (find(0) == names.size() || find(latent) < names.size()) {
    check(names.size() == latent, "decode", "{}: expected {} columns, got {}", path.string(), latent,
          names.size());
    std::iota(columns.begin(), columns.end(), 0);
    return columns;
  }
  for (std::size_t d = 0; d < latent; ++d) {
    columns[d] = find(d);
    check(columns[d] < names.size(), "decode", "{}: expected a column z{}, got {}", path.string(), d + 1,
          io::printable(fmt::format("{}", fmt::join(names, ", "))));
  }
  return columns;
}

}  // namespace

std::string header_of(const Rows& rows) {
  std::string text = rows.labels.empty() ? "" : "label,";
  for (std::size_t c = 0; c < rows.columns.size(); ++c)
    text += (c > 0 ? "," : "") + csv_quoted(rows.columns[c]);
  if (!rows.row_numbers.empty()) text += ",row";
  return has_classes(rows) || !rows.row_classes.empty() ? text + "," + kClassColumn : text;
}

void write_rows(const std::filesystem::path& path, const Rows& rows) {
  const std::size_t width = rows.columns.size(), count = rows.values.size() / width;
  const std::string ending = path.extension().string();
  if (ending == ".npy") {
    const std::int64_t shape[] = {static_cast<std::int64_t>(count), static_cast<std::int64_t>(width)};
    if (rows.exact.empty())
      io::write_npy(path, shape, rows.values);
    else
      io::write_npy(path, shape, with_observed(rows.exact, rows.observed));
    return;
  }
  check(ending == ".csv", "write", "{}: expected a file ending in .csv or .npy", path.string());
  std::string text = header_of(rows) + "\n";
  for (std::size_t r = 0; r < count; ++r) append_row(text, rows, r);
  io::write_file(path, text);
}

std::vector<float> read_codes(const std::filesystem::path& path, std::int64_t latent) {
  const std::string ending = path.extension().string();
  if (ending == ".npy") {
    const io::NpyArray array = io::read_npy(path);
    check(array.shape.size() == 2 && array.shape[1] == latent && !array.bytes && array.elements() > 0,
          "decode", "{}: expected floats of [n, {}], got [{}]", path.string(), latent,
          fmt::join(array.shape, ", "));
    return checked(path, array.to_f32());
  }
  check(ending == ".csv", "decode", "{}: expected a file ending in .csv or .npy", path.string());
  const io::Table table = io::read_table(
      path, {.header = io::TableHeader::by_text, .label_column = names_classes(path) ? kClassColumn : ""});
  const std::vector<std::size_t> columns = code_columns(path, table, static_cast<std::size_t>(latent));
  std::vector<float> codes;
  for (std::int64_t r = 0; r < table.rows; ++r)
    for (const std::size_t c : columns)
      codes.push_back(
          static_cast<float>(table.values[static_cast<std::size_t>(r) * table.columns.size() + c]));
  return checked(path, std::move(codes));
}

std::vector<float> parse_codes(const std::string& text, std::int64_t latent) {
  std::vector<float> codes;
  // A semicolon may also end the last code, as scripts write it.
  const std::string_view all = text;
  for (const std::string& row : parts_of(all.substr(0, all.size() - (all.ends_with(';') ? 1 : 0)), ';')) {
    const std::vector<std::string> numbers = parts_of(row, ',');
    for (const std::string& number : numbers) {
      float value = 0;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
      check(error == std::errc() && end == number.data() + number.size() && std::isfinite(value), "decode",
            "expected numbers in --z, got \"{}\"", io::printable(number));
      codes.push_back(value);
    }
    check(std::ssize(numbers) == latent, "decode", "expected {} per code in --z, got {} in \"{}\"",
          counted(latent, "number"), numbers.size(), io::printable(row));
  }
  check(!codes.empty(), "decode", "expected latent codes: --z 0.5,-1 or --input codes.csv");
  return codes;
}

}  // namespace gpuvae::apps
