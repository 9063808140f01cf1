// read_table: separator, header, index column, label column and chosen columns of a table.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <clocale>

#include "src/io/file.h"
#include "src/io/table.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;
using namespace std::string_literals;
using Names = std::vector<std::string>;
using Doubles = std::vector<double>;

Table read_table_text(const std::string& text, const TableOptions& options = {}) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", text);
  return read_table(folder / "t.csv", options);
}

std::string error_of_table(const std::string& text, const TableOptions& options = {}) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", text);
  const std::string message = error_of([&] { static_cast<void>(read_table(folder / "t.csv", options)); });
  const std::string prefix = "[read] " + (folder / "t.csv").string() + ": ";
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.size() < prefix.size() ? message : message.substr(prefix.size());
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

void expect_read_table(const std::string& text, const Names& columns, const Doubles& values,
                       const TableOptions& options = {}) {
  SCOPED_TRACE(text);
  const Table table = read_table_text(text, options);
  EXPECT_EQ(table.columns, columns);
  EXPECT_EQ(table.values, values);
  EXPECT_EQ(static_cast<std::size_t>(table.rows) * columns.size(), values.size());
}

// The same table with every separator, line end and form of quotes.
TEST(ReadTable, SeparatorsLineEndsQuotesAndByteOrderMark) {
  for (const std::string separator : {"\t", ";", ",", "|", " ", "   "})
    for (const std::string end : {"\n", "\r\n"})
      for (const std::string mark : {"", "\xEF\xBB\xBF"})
        for (const std::string quote : {"", "\""}) {
          const auto cell = [&](const std::string& text) { return quote + text + quote; };
          std::string text = mark;
          for (const auto& row : {std::array{"a"s, "b"s, "c"s}, {"1.5"s, "-2"s, "3e2"s}, {"4"s, "5"s, "6"s}})
            text += cell(row[0]) + separator + cell(row[1]) + separator + cell(row[2]) + end;
          expect_read_table(text, {"a", "b", "c"}, {1.5, -2, 300, 4, 5, 6});
        }
}

TEST(ReadTable, LinesThatEndWithCarriageReturnsAloneAreRefused) {
  const test::TemporaryFolder folder;
  for (const char* text : {"a,b\r1,2\r3,4\r", "1,2\r3,4", "a,b\r1,2\n"}) {
    write_file(folder / "t.csv", text);
    EXPECT_EQ(
        test::error_of([&] { static_cast<void>(read_table(folder / "t.csv")); }),
        "[read] " + (folder / "t.csv").string() +
            ": line 1 has carriage returns (CR) inside: expected lines that end with LF or CR LF, got CR "
            "alone");
  }
}

TEST(ReadTable, TheSeparatorSplitsAllLinesAlike) {
  expect_read_table("height, in cm;weight\n1;2\n3;4\n", {"height, in cm", "weight"}, {1, 2, 3, 4});
  expect_read_table("height in cm,weight\n1,2\n3,4\n", {"height in cm", "weight"}, {1, 2, 3, 4});
  expect_read_table("height in cm\n1.5\n2.5\n", {"height in cm"}, {1.5, 2.5});  // one column
  expect_read_table("a\n1\n2\n", {"a"}, {1, 2});
  expect_part(read_table_text("a;b\n1;2\n").summary,
              "semicolons separate the columns, line 1 holds their names");
  expect_part(read_table_text("# note\n\n1 2\n3 5\n").summary,
              "spaces separate the columns, line 3 is a row, the columns have no names");
}

// ---- the header ----

TEST(ReadTable, HeadersOfText) {
  expect_read_table("a,b\n1,2\n3,4\n", {"a", "b"}, {1, 2, 3, 4});
  expect_read_table("1,b\n3,4\n", {"1", "b"}, {3, 4});
  expect_read_table("label,0,1,2\n7,.5,.25,1\n", {"label", "0", "1", "2"}, {7, 0.5, 0.25, 1});
  EXPECT_TRUE(read_table_text("a,b\n1,2\n").has_names);
  EXPECT_FALSE(read_table_text("1,2\n3,5\n").has_names);
}

TEST(ReadTable, HeadersThatCountAsPandasWritesThem) {
  const std::string rows = "0.5,1.5,-2,3\n1.25,2,3,4\n";
  const Table table = read_table_text("0,1,2,3\n" + rows);
  EXPECT_EQ(table.columns, (Names{"0", "1", "2", "3"}));
  EXPECT_EQ(table.values, (Doubles{0.5, 1.5, -2, 3, 1.25, 2, 3, 4}));
  EXPECT_EQ(table.rows, 2);
  EXPECT_TRUE(table.has_names);
  ASSERT_EQ(table.notes.size(), 1u);
  expect_part(table.notes[0], "line 1 counts 0, 1, ..., 3 as pandas writes a header and was taken as one");
  // A line of eight whole numbers hardly counts 0, ..., 7 by chance.
  expect_read_table("0,1,2,3,4,5,6,7\n9,9,9,9,9,9,9,9\n9,9,9,9,9,9,9,8\n",
                    {"0", "1", "2", "3", "4", "5", "6", "7"},
                    {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8});
  // The same, with the index column that pandas writes.
  expect_read_table(",0,1\n0,.5,2\n1,3,4\n", {"0", "1"}, {0.5, 2, 3, 4});
}

TEST(ReadTable, DoubtfulHeadersAreErrors) {
  for (const std::string& text :
       {"0,1,2\n5,3,1\n1,1,1\n"s,          // few columns of whole numbers
        "0,1,2,3\n4,5,6,7\n8,9,10,11\n"s,  // a table whose rows continue the count
        "0,1\n.5,.25\n.5,.75\n"s, "0.0,1.0,2.0,3.0\n.5,.25,1,2\n.5,.75,1,2\n"s,
        "2019,2020,2021\n.5,.25,1\n.5,.75,1\n"s,  // years
        "1,2,3\n.5,.25,1\n.5,.75,1\n"s,           // counted from 1
        ",7,9\n0,.5,2\n1,3,4\n"s,                 // a first cell without text
        "1,2,4,8,16,32,64,128.5\n3,1,2,1,2,1,2,1\n3,1,2,1,2,1,2,1\n3,1,2,1,2,1,2,1\n"s,  // increasing
        "5.1,setosa\n7.0,virginica\n"s}) {                                               // text above text
    SCOPED_TRACE(text);
    expect_part(error_of_table(text), "line 1 may be a header or a row (");
    expect_part(error_of_table(text), "--header yes or no");
    EXPECT_EQ(read_table_text(text, {.header = TableHeader::yes, .columns = {"0"}}).rows,
              std::ranges::count(text, '\n') - 1);
  }
  expect_read_table("0,1,2\n5,3,1\n", {"0", "1", "2"}, {0, 1, 2, 5, 3, 1}, {.header = TableHeader::no});
  expect_read_table("0,1,2\n5,3,1\n", {"0", "1", "2"}, {5, 3, 1}, {.header = TableHeader::yes});
  expect_read_table("7.5,8\n5,3\n", {"7.5", "8"}, {5, 3}, {.header = TableHeader::yes});
  EXPECT_EQ(error_of_table("a,b\n1,2\n", {.header = TableHeader::no}),
            "line 1, column 0 (from 0): expected a number, got 'a'");
}

TEST(ReadTable, NumbersThatAreRows) {
  expect_read_table("1,2\n3,4\n", {"0", "1"}, {1, 2, 3, 4});
  expect_read_table("1,2,3\n4,5,6\n", {"0", "1", "2"}, {1, 2, 3, 4, 5, 6});
  expect_read_table("0.5\n1\n", {"0"}, {0.5, 1});
  expect_read_table("0\n1\n2\n", {"0"}, {0, 1, 2});
  const Table table = read_table_text("3,1\n.5,.25\n.5,.75\n.5,.125\n");
  EXPECT_EQ(table.rows, 4);
  ASSERT_EQ(table.notes.size(), 1u);
  expect_part(table.notes[0], "line 1 was taken as a row: it holds whole numbers only");
}

TEST(ReadTable, TextAboveTheSameTextIsARow) {
  const std::string text = "5.1,setosa\n4.9,setosa\n7.0,virginica\n";
  const Table table = read_table_text(text, {.label_column = "1"});
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.values, (Doubles{5.1, 4.9, 7.0}));
  EXPECT_EQ(table.label_texts, (Names{"setosa", "virginica"}));
  EXPECT_EQ(table.labels, (std::vector<std::uint32_t>{0, 0, 1}));
  ASSERT_EQ(table.notes.size(), 1u);
  expect_part(table.notes[0], "line 1 was taken as a row: its text occurs again");
}

TEST(ReadTable, ALineWithAllExpectedNamesIsAHeader) {
  expect_read_table("1,0,2\n5,3,1\n", {"1", "0", "2"}, {5, 3, 1}, {.expected_names = {"0", "1"}});
  expect_part(error_of_table("1,0,2\n5,3,.5\n", {.columns = {"0"}, .by_name = true}),
              "expected a header with");
}

TEST(ReadTable, EmptyAndRepeatedNames) {
  const Table table = read_table_text("a,,a,a\n1,2,3,4\n");
  EXPECT_EQ(table.columns, (Names{"a", "unnamed 1", "a.1", "a.2"}));
  EXPECT_EQ(table.notes.size(), 3u);
  expect_part(table.notes[1], "column 2 (from 0) is called 'a.1', because its name 'a' is taken");
}

TEST(ReadTable, ALastSeparatorMakesNoColumn) {
  expect_read_table("a,b,\n1,2,\n3,4,\n", {"a", "b"}, {1, 2, 3, 4});
  expect_read_table("1;2;\n3;4;\n", {"0", "1"}, {1, 2, 3, 4});
  expect_part(read_table_text("a,b,\n1,2,\n").summary, "the empty last column was left out");
  EXPECT_EQ(error_of_table("a,b,c\n1,2,\n3,4,5\n"), "line 2, column 'c': missing value, got ''");
}

// ---- the index column ----

TEST(ReadTable, UnnamedFirstColumnsAreIndexes) {
  expect_read_table(",a,b\n0,1,2\n1,3,4\n", {"a", "b"}, {1, 2, 3, 4});
  expect_read_table("\"\",\"a\"\n\"1\",5\n\"2\",6\n", {"a"}, {5, 6});   // write.csv of R
  expect_read_table(",a\nrow one,5\n\"row, two\",6\n", {"a"}, {5, 6});  // row names of text
  expect_read_table("a b\nx 1 2\ny 3 4\n", {"a", "b"}, {1, 2, 3, 4});   // write.table of R
  expect_read_table("\"a\" \"b\"\n\"1\" 1 2\n\"2\" 3 4\n", {"a", "b"}, {1, 2, 3, 4});
  expect_part(read_table_text(",a\n0,5\n").summary,
              "the first column has no name and was left out as an index");
  EXPECT_EQ(error_of_table("\"\"\n1\n2\n", {.header = TableHeader::yes}),
            "expected columns beside the index, got none");
}

std::string counting(const std::string& header, int first, int rows) {
  std::string text = header;
  for (int r = 0; r < rows; ++r) text += std::to_string(first + r) + "," + std::to_string(r * r) + ".5\n";
  return text;
}

TEST(ReadTable, CountingFirstColumnsAreIndexes) {
  const Doubles squares = {0.5, 1.5, 4.5, 9.5, 16.5};
  for (const int first : {0, 1}) {
    expect_read_table(counting("", first, 5), {"1"}, squares);
    for (const std::string name : {"id", "Index", "ROW"})
      expect_read_table(counting(name + ",x\n", first, 5), {"x"}, squares);
  }
  expect_part(read_table_text(counting("", 0, 5)).summary,
              "the first column counts the rows and was left out");
  expect_part(read_table_text(counting("id,x\n", 0, 5)).summary,
              "column 'id' counts the rows and was left out");
  // Other names, other counts, few rows and explicit columns keep it.
  const Table named = read_table_text(counting("t,x\n", 0, 5));
  EXPECT_EQ(named.columns, (Names{"t", "x"}));
  ASSERT_EQ(named.notes.size(), 1u);
  expect_part(named.notes[0], "column 't' counts the rows and is used like any other column");
  EXPECT_EQ(read_table_text(counting("", 2, 9)).columns.size(), 2u);
  EXPECT_EQ(read_table_text(counting("", 0, 4)).columns.size(), 2u);
  EXPECT_EQ(read_table_text(counting("id,x\n", 0, 5) + "9,9\n").columns.size(), 2u);
  EXPECT_EQ(read_table_text(counting("id,x\n", 0, 5), {.columns = {"id", "x"}}).columns, (Names{"id", "x"}));
  EXPECT_EQ(read_table_text(counting("id,x\n", 0, 5), {.label_column = "id"}).columns, (Names{"x"}));
}

// ---- chosen columns and labels ----

TEST(ReadTable, ChosenColumnsInTheirOrder) {
  const std::string text = "a,note,\"b, c\",2\n1,hello,3,4\n5,,7,8\n";
  expect_read_table(text, {"b, c", "a"}, {3, 1, 7, 5}, {.columns = {"b, c", "a"}});
  expect_read_table(text, {"2", "a"}, {4, 1, 8, 5},
                    {.columns = {"2", "0"}});  // names take precedence over numbers
  EXPECT_EQ(error_of_table(text, {.columns = {"x"}}),
            "expected column 'x' among the 4 columns, got a, note, b, c, 2");
  expect_part(error_of_table(text, {.columns = {"a", "0"}}), "expected different columns");
  expect_part(error_of_table(text, {.columns = {"a"}, .label_column = "a"}),
              "none of which holds the labels, got 'a'");
  EXPECT_EQ(error_of_table(text), "line 2, column 'note': expected a number, got 'hello'");
}

TEST(ReadTable, LabelsAreTexts) {
  const Table table =
      read_table_text("class,x\n\"big, red\",1\nsmall,2\nbig,3\nsmall , 4\n", {.label_column = "class"});
  EXPECT_EQ(table.label_texts, (Names{"big, red", "small", "big"}));
  EXPECT_EQ(table.labels, (std::vector<std::uint32_t>{0, 1, 2, 1}));
  EXPECT_EQ(table.values, (Doubles{1, 2, 3, 4}));
  EXPECT_EQ(table.label_column, "class");
  expect_part(table.summary, "the labels are in column 'class'");
  EXPECT_EQ(error_of_table("class,x\na,1\n,2\n", {.label_column = "class"}),
            "line 3, column 'class': missing value, got ''");
}

TEST(ReadTable, LabelsInAColumnWithoutAName) {
  const Table table = read_table_text(",a,b\ncat,1.5,2\ndog,3.5,4\n", {.label_column = "0"});
  EXPECT_EQ(table.label_column, "0");
  EXPECT_EQ(table.label_texts, (Names{"cat", "dog"}));
  EXPECT_EQ(table.columns, (Names{"a", "b"}));
}

TEST(ReadTable, ByName) {
  const TableOptions options{
      .columns = {"b", "a"}, .label_column = "y", .expected_names = {"b", "a"}, .by_name = true};
  expect_read_table("a,b,extra,y\n1,2,x,0\n3,4,x,1\n", {"b", "a"}, {2, 1, 4, 3}, options);
  expect_part(
      read_table_text("a,b,extra,y\n1,2,x,0\n", options).summary,
      "the columns are in a different order than in training and were matched by name, not used: extra");
  expect_read_table("b,a\n1,2\n", {"b", "a"}, {1, 2}, options);
  EXPECT_EQ(read_table_text("b,a\n1,2\n", options).label_column, "");
  EXPECT_EQ(error_of_table("a,c\n1,2\n", options), "expected the training data's column 'b', got a, c");
  EXPECT_EQ(error_of_table("1,2\n3,5\n", options),
            "expected a header with the training data's columns b, a, got a table without names");
}

// ---- cells ----

TEST(ReadTable, MissingValuesAreErrorsInEveryForm) {
  for (const std::string word : {"", "nan", "NaN", "NA", "n/a", "NULL", "None", "?", "\"\""}) {
    SCOPED_TRACE(word);
    expect_part(error_of_table("a,b,c\n1," + word + ",3\n"), "line 2, column 'b': missing value");
    EXPECT_EQ(read_table_text("a,b,c\n1," + word + ",3\n", {.columns = {"a", "c"}}).values, (Doubles{1, 3}));
  }
}

TEST(ReadTable, NumbersKeepTheirPrecisionInEveryLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"C", "de_DE.UTF-8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_ALL, name))
      expect_read_table("t\n1700000000.25\n1700000001\n", {"t"}, {1700000000.25, 1700000001});
  std::setlocale(LC_ALL, before.c_str());
  expect_part(error_of_table("a;b\n1,5;2\n"), "line 2, column 'a': expected a number, got '1,5'");
}

TEST(ReadTable, MaxRowsReadsNoFurther) {
  EXPECT_EQ(read_table_text("a,b\n1,2\n3,4\nx\n", {.max_rows = 2}).values, (Doubles{1, 2, 3, 4}));
  std::string text = "a,b\n";
  for (int r = 0; r < 200; ++r) text += std::to_string(r % 7) + ",1\n";
  EXPECT_EQ(read_table_text(text + "x\n", {.max_rows = 150}).rows, 150);
}

}  // namespace
}  // namespace gpuvae::io
