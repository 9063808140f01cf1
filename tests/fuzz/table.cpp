// Tables of text: sizes agree, no value is NaN, gzip makes no difference, and a table that is written again
// is read back with the same bits, both by the fast path of the reader and by the path for unusual rows.
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "src/io/table.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;
using io::Table, io::TableHeader, io::TableOptions;

void check_sizes(const Table& t) {
  fuzz::require(t.rows >= 1 && !t.columns.empty(), "a table has rows and columns");
  fuzz::require(t.values.size() == static_cast<std::size_t>(t.rows) * t.columns.size(),
                "the number of values is the product of the sizes");
  for (const double value : t.values) fuzz::require(!std::isnan(value), "no value is NaN");
  fuzz::require(t.labels.size() == (t.label_column.empty() ? 0 : static_cast<std::size_t>(t.rows)),
                "each row has a label if there is a label column");
  for (const std::uint32_t label : t.labels)
    fuzz::require(label < t.label_texts.size(), "each label has a text");
  fuzz::require(std::set(t.label_texts.begin(), t.label_texts.end()).size() == t.label_texts.size(),
                "the texts of labels differ");
  fuzz::require_one_line(t.summary);
  for (const std::string& note : t.notes) fuzz::require_one_line(note);
}

// The prefix makes every name text, so that the first line is a header.
std::string quoted_name(const std::string& name) {
  std::string text = "\"n_";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

std::string written(const Table& t, bool unusual) {
  std::string text;
  for (std::size_t c = 0; t.has_names && c < t.columns.size(); ++c)
    text += (c > 0 ? "," : "") + quoted_name(t.columns[c]);
  if (t.has_names) text += '\n';
  for (std::size_t i = 0; i < t.values.size(); ++i) {
    const double value = t.values[i];
    const bool last = (i + 1) % t.columns.size() == 0;
    text += fmt::format(fmt::runtime(unusual ? "\"{}{}\"{}" : "{}{}{}"),
                        unusual && !std::signbit(value) ? "+" : "", value, last ? '\n' : ',');
  }
  return text;
}

void check_round_trip(const Table& t, bool unusual) {
  const Table again = io::read_csv(fuzz::input_file(written(t, unusual), "copy"));
  fuzz::require(again.rows == t.rows && again.has_names == t.has_names && again.values == t.values,
                "a written table is read back");
  for (std::size_t c = 0; c < t.columns.size(); ++c)
    fuzz::require(
        again.columns[c] == (t.has_names ? "n_" : "") + (t.has_names ? t.columns[c] : std::to_string(c)),
        "written names are read back");
}

TableOptions options_for(std::size_t size) {
  TableOptions options;
  if (size % 8 == 1) options.header = TableHeader::yes;
  if (size % 8 == 2) options.header = TableHeader::no;
  if (size % 8 == 3) options.header = TableHeader::by_text;
  if (size % 8 == 4) options.label_column = "0";
  if (size % 8 == 5) options.label_column = "label";
  if (size % 8 == 6) options.columns = {"1", "0"};
  if (size % 8 == 7) {
    options.by_name = true;
    options.columns = options.expected_names = {"b", "a"};
    options.label_column = "label";
  }
  return options;
}

bool same(const Table& a, const Table& b) {
  return a.columns == b.columns && a.has_names == b.has_names && a.values == b.values && a.labels == b.labels;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  // The size chooses the options, so that the inputs are plain tables.
  const TableOptions options = options_for(size);
  Table table, unpacked;
  const bool accepted = fuzz::accepts([&] { table = io::read_table(fuzz::input_file(bytes), options); });
  if (accepted) {
    check_sizes(table);
    fuzz::require(options.by_name || options.label_column.empty() || !table.label_column.empty(),
                  "a label column that was given is used");
    check_round_trip(table, size % 16 >= 8);
  }
  if (fuzz::is_gzip(bytes)) return 0;
  const auto packed = fuzz::input_file(fuzz::gzip({reinterpret_cast<const char*>(data), size}), "packed");
  fuzz::require(accepted == fuzz::accepts([&] { unpacked = io::read_table(packed, options); }) &&
                    (!accepted || same(table, unpacked)),
                "gzip makes no difference");
  return 0;
}
