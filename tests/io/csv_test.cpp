#include "src/io/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;

TEST(Csv, IsCompleteAfterEveryRow) {
  const TemporaryFolder folder;
  CsvWriter csv(folder / "metrics.csv", {"epoch", "train_loss"}, {"preset keras-mnist", "two\nlines"});
  const std::string head = "# preset keras-mnist\n# two\n# lines\nepoch,train_loss\n";
  EXPECT_EQ(read_file(folder / "metrics.csv"), head);
  csv.append({1, 170.4871999});
  EXPECT_EQ(read_file(folder / "metrics.csv"), head + "1,170.487\n");
  csv.append({2, 168.5});
  EXPECT_EQ(read_file(folder / "metrics.csv"), head + "1,170.487\n2,168.5\n");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(Csv, PrintsWholeNumbersInFullAndOthersWithSixDigits) {
  const TemporaryFolder folder;
  CsvWriter csv(folder / "f", {"a", "b", "c", "d", "e"});
  csv.append({60000000, -3, 0.1, 1e-9, 1e300});
  csv.append({1234567.89, -0.0, std::nan(""), std::numeric_limits<double>::infinity(),
              -std::numeric_limits<double>::infinity()});
  EXPECT_EQ(read_file(folder / "f"), "a,b,c,d,e\n60000000,-3,0.1,1e-09,1e+300\n1.23457e+06,0,nan,inf,-inf\n");
}

TEST(Csv, WritesNothingBeforeItsStart) {
  const TemporaryFolder folder;
  write_file(folder / "f", "older");
  CsvWriter csv(folder / "f", {"a", "b"}, {}, {.rows = "1,2\n", .sync = Sync::no, .deferred = true});
  csv.append({3, 4});
  EXPECT_EQ(read_file(folder / "f"), "older");
  csv.start();
  EXPECT_EQ(read_file(folder / "f"), "a,b\n1,2\n3,4\n");
  csv.append({5, 6});
  EXPECT_EQ(read_file(folder / "f"), "a,b\n1,2\n3,4\n5,6\n");
}

TEST(Csv, RefusesRowsOfAnotherWidth) {
  const TemporaryFolder folder;
  CsvWriter csv(folder / "f", {"a", "b"});
  const std::string at = "[write] " + (folder / "f").string() + ": ";
  EXPECT_EQ(error_of([&] { csv.append({1}); }), at + "expected 2 numbers in a row, got 1");
  EXPECT_EQ(read_file(folder / "f"), "a,b\n");
}

TEST(Csv, RefusesColumnNamesThatWouldBreakTheTable) {
  const TemporaryFolder folder;
  for (const char* name : {"", "a,b", "\"a\"", "#a", "a\r"})
    EXPECT_NE(error_of([&] { CsvWriter(folder / "f", {name}); }).find("column name"), std::string::npos);
  EXPECT_NE(error_of([&] { CsvWriter(folder / "f", {}); }).find("at least one column"), std::string::npos);
  EXPECT_TRUE(folder.names().empty());
}

TEST(Csv, FindsAnUnwritablePathBeforeTheFirstRow) {
  EXPECT_EQ(error_of([] { CsvWriter("no/such/metrics.csv", {"a"}); }),
            "[write] no/such/metrics.csv: No such file or directory");
}

// No row is lost if the disk is full for a moment.
TEST(Csv, KeepsRowsThatCouldNotBeWritten) {
  const TemporaryFolder folder;
  make_folder(folder / "run");
  CsvWriter csv(folder / "run/f", {"a"});
  std::filesystem::rename(folder / "run", folder / "away");
  EXPECT_NE(error_of([&] { csv.append({1}); }).find("run/f: No such file or directory"), std::string::npos);
  std::filesystem::rename(folder / "away", folder / "run");
  csv.append({2});
  EXPECT_EQ(read_file(folder / "run/f"), "a\n1\n2\n");
}

}  // namespace
}  // namespace gpuvae::io
