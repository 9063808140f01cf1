#include "src/io/table.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <clocale>
#include <cmath>

#include "src/io/csv.h"
#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;
using namespace std::string_literals;
using Names = std::vector<std::string>;
using Doubles = std::vector<double>;

Table read_text(const std::string& text, std::int64_t max_rows = 0) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", text);
  return read_csv(folder / "t.csv", max_rows);
}

// Returns the error without the prefix "[read] path: ", with which every error must begin.
std::string error_of_text(const std::string& text) {
  const TemporaryFolder folder;
  const std::string path = (folder / "t.csv").string(), prefix = "[read] " + path + ": ";
  write_file(path, text);
  const std::string message = error_of([&] { read_csv(path); });
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.size() < prefix.size() ? message : message.substr(prefix.size());
}

void expect_table(const std::string& text, const Names& columns, const Doubles& values) {
  const Table table = read_text(text);
  EXPECT_EQ(table.columns, columns) << text;
  EXPECT_EQ(table.values, values) << text;
  EXPECT_EQ(table.rows * static_cast<std::int64_t>(columns.size()), static_cast<std::int64_t>(values.size()));
}

TEST(ReadCsv, WithAndWithoutHeader) {
  expect_table("a,b\n1,2\n3,4\n", {"a", "b"}, {1, 2, 3, 4});
  expect_table("1,2\n3,4\n", {"0", "1"}, {1, 2, 3, 4});
  expect_table("1,b\n3,4\n", {"1", "b"}, {3, 4});  // a row with any text is a header
  expect_table("x\n1\n2", {"x"}, {1, 2});
  expect_table(",a\n0,5\n", {"", "a"}, {0, 5});  // an unnamed index column
}

TEST(ReadCsv, FirstLineDeterminesTheSeparator) {
  expect_table("a;b\n1;2\n", {"a", "b"}, {1, 2});
  expect_table("a\tb c\n1\t2\n", {"a", "b c"}, {1, 2});
  expect_table("a b\n1 2\n", {"a", "b"}, {1, 2});
  expect_table("  1   2.5 \n 3 \t 4\n", {"0", "1"}, {1, 2.5, 3, 4});
  expect_table("a, b\n 1 ,\t2 \n", {"a", "b"}, {1, 2});
  expect_table("\"a;b\",\"c\td\"\n1,2\n", {"a;b", "c\td"}, {1, 2});  // separators in quotes do not count
}

TEST(ReadCsv, QuotedNamesAndNumbers) {
  expect_table("\"mass, GeV\",\"the \"\"b\"\"\" , c\n1,2,3\n", {"mass, GeV", "the \"b\"", "c"}, {1, 2, 3});
  expect_table("\"two words\"\n5\n", {"two words"}, {5});
  expect_table("a,b\n\"1.5\", \"-2\"\n3,\"4\"\n", {"a", "b"}, {1.5, -2, 3, 4});
}

TEST(ReadCsv, LineEndsCommentsAndBlankLines) {
  expect_table("# made by hand\r\na,b\r\n1,2\r\n\r\n# a note, with cells\r\n3,4\r\n\r\n\r\n", {"a", "b"},
               {1, 2, 3, 4});
  expect_table("\n  \n1,2\n\t\n3,4", {"0", "1"}, {1, 2, 3, 4});
  expect_table(
      "\xEF\xBB\xBF"
      "a,b\n1,2\n",
      {"a", "b"}, {1, 2});
}

TEST(ReadCsv, NumbersOfEveryForm) {
  expect_table("1.5e3,-2E-2,+7,.25,1.,-0.000000000000000000e+00\n", {"0", "1", "2", "3", "4", "5"},
               {1500, -0.02, 7, 0.25, 1, -0.0});
  expect_table("0.1,16777217,1700000079,123456789012345678901234567890\n", {"0", "1", "2", "3"},
               {0.1, 16777217, 1700000079, 1.2345678901234568e29});
  expect_table("1e-50,-1e-400,1e-320,1e39\n", {"0", "1", "2", "3"},
               {1e-50, -0.0, 1e-320, 1e39});  // underflow is not an error
  const Table infinite = read_text("inf,-Infinity\n");
  EXPECT_EQ(infinite.values, (Doubles{INFINITY, -INFINITY}));
}

TEST(ReadCsv, IgnoresTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (!std::setlocale(LC_ALL, "de_DE.UTF-8") && !std::setlocale(LC_ALL, "fr_FR.UTF-8"))
    GTEST_SKIP() << "no locale with a decimal comma is installed";
  expect_table("1.5,2.5e-50\n", {"0", "1"}, {1.5, 2.5e-50});
  std::setlocale(LC_ALL, before.c_str());
}

TEST(ReadCsv, Gzip) {
  const TemporaryFolder folder;
  const gzFile out = gzopen((folder / "t.csv.gz").c_str(), "wb");
  gzputs(out, "a,b\n1,2\n");
  ASSERT_EQ(gzclose(out), Z_OK);
  EXPECT_EQ(read_csv(folder / "t.csv.gz").values, (Doubles{1, 2}));
  const std::string bytes = read_file(folder / "t.csv.gz");
  write_file(folder / "cut.gz", bytes.substr(0, bytes.size() - 6));
  const std::string message = error_of([&] { read_csv(folder / "cut.gz"); });
  EXPECT_NE(message.find("cut.gz: expected an intact gzip stream"), std::string::npos) << message;
}

TEST(ReadCsv, LinesAcrossTheBuffersOfALargeFile) {
  std::string text = "index,square\n";
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + "," + std::to_string(i % 100) + ".25\n";
  ASSERT_GT(text.size(), std::size_t{2} << 20);
  const Table table = read_text(text);
  ASSERT_EQ(table.rows, 200'000);
  for (std::size_t i = 0; i < 200'000; ++i) {
    ASSERT_EQ(table.values[2 * i], static_cast<double>(i));
    ASSERT_EQ(table.values[2 * i + 1], static_cast<double>(i % 100) + 0.25);
  }
  // This line is longer than the buffer.
  std::string wide = "1";
  for (int i = 1; i < 1'500'000; ++i) wide += ",1";
  EXPECT_EQ(read_text(wide + "\n" + wide).values, Doubles(3'000'000, 1.0));
}

TEST(ReadCsv, StopsAfterMaxRows) {
  EXPECT_EQ(read_text("a\n1\n2\n3\n", 2).values, (Doubles{1, 2}));
  EXPECT_EQ(read_text("a\n1\n2\nx\n", 2).rows, 2);
  EXPECT_EQ(read_text("a\n1\n2\n3\n", 9).rows, 3);
}

TEST(ReadCsv, ReadsTheOutputOfCsvWriter) {
  const TemporaryFolder folder;
  CsvWriter writer(folder / "m.csv", {"epoch", "loss"}, {"two\nlines"});
  writer.append({1, 0.125});
  EXPECT_EQ(read_csv(folder / "m.csv").columns, (Names{"epoch", "loss"}));
  EXPECT_EQ(read_csv(folder / "m.csv").values, (Doubles{1, 0.125}));
}

TEST(ReadCsv, MissingValues) {
  EXPECT_EQ(error_of_text("a,b\n1,2\n3,\n"), "line 3, column 'b': missing value, got ''");
  EXPECT_EQ(error_of_text("# c\na,b\n,2\n"), "line 3, column 'a': missing value, got ''");
  EXPECT_EQ(error_of_text("a;b;c\n1; ;3\n"), "line 2, column 'b': missing value, got ''");
  EXPECT_EQ(error_of_text("a\tb\n1\t\n"), "line 2, column 'b': missing value, got ''");
  for (const std::string word : {"nan", "NaN", "-nan", "NA", "n/a", "NULL", "None", "?", "nan(7)"}) {
    EXPECT_EQ(error_of_text("a,b\n1,2\n" + word + ",4\n"),
              "line 3, column 'a': missing value, got '" + word + "'");
    EXPECT_EQ(error_of_text("1," + word + "\n"),
              "line 1, column 1 (from 0): missing value, got '" + word + "'");
  }
}

TEST(ReadCsv, TextAmongNumbers) {
  EXPECT_EQ(error_of_text("a,b\n1,2\n3,four\n"), "line 3, column 'b': expected a number, got 'four'");
  EXPECT_EQ(error_of_text("1,2\n3,4x\n"), "line 2, column 1 (from 0): expected a number, got '4x'");
  EXPECT_EQ(error_of_text("1,2\n0x10,4\n"), "line 2, column 0 (from 0): expected a number, got '0x10'");
  EXPECT_EQ(error_of_text("1\n1 2\n"), "line 2: expected 1 cells, got 2");
  EXPECT_EQ(error_of_text("1;2\n1,5;2\n"), "line 2, column 0 (from 0): expected a number, got '1,5'");
  EXPECT_EQ(error_of_text("1,2\n+-1,4\n"), "line 2, column 0 (from 0): expected a number, got '+-1'");
  EXPECT_EQ(error_of_text("a\n\x01" + std::string(60, 'y') + "\n"),
            "line 2, column 'a': expected a number, got '?" + std::string(39, 'y') + "...'");
}

TEST(ReadCsv, NumbersBeyondDoubles) {
  for (const std::string number : {"1e309", "-1e400", "1e9999"})
    EXPECT_EQ(error_of_text("a\n" + number + "\n"),
              "line 2, column 'a': expected a number within 64-bit floats, got " + number);
}

TEST(ReadCsv, RaggedRows) {
  EXPECT_EQ(error_of_text("a,b,c\n1,2,3\n4,5\n"), "line 3: expected 3 cells, got 2");
  EXPECT_EQ(error_of_text("a,b,c\n1,2,3,4\n"), "line 2: expected 3 cells, got 4");
  EXPECT_EQ(error_of_text("a,b\n1,2,\n"), "line 2: expected 2 cells, got 3");
  EXPECT_EQ(error_of_text("1 2\n\n1 2 3\n"), "line 3: expected 2 cells, got 3");
}

TEST(ReadCsv, BadQuotes) {
  EXPECT_EQ(error_of_text("\"a,b\n1,2\n"), "line 1: unterminated quote, or text after a closing quote");
  EXPECT_EQ(error_of_text("a,b\n\"1\"2,3\n"), "line 2: unterminated quote, or text after a closing quote");
}

TEST(ReadCsv, FilesWithoutATable) {
  EXPECT_EQ(error_of_text(""), "expected a table, got an empty file");
  EXPECT_EQ(error_of_text("\n# only\n"), "expected a table, got only blank lines and comments");
  EXPECT_EQ(error_of_text("a,b\n"), "expected rows of numbers, got only a header");
  EXPECT_EQ(error_of_text("a,b\n# none\n\n"), "expected rows of numbers, got only a header");
  EXPECT_EQ(error_of_text("PK\x03\x04\x00\x00"s), "line 1 has zero bytes: not a text file");
  const TemporaryFolder folder;
  const std::string message = error_of([&] { read_csv(folder / "absent.csv"); });
  EXPECT_NE(message.find("absent.csv: expected a file, got none"), std::string::npos) << message;
}

}  // namespace
}  // namespace gpuvae::io
