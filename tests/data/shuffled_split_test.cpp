// Tests that a shuffled split knows nothing of its test rows.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "gpuvae/data.h"
#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

// The numbers are far from 0, as dates are, so that f32 alone would lose their differences.
TEST(ShuffledSplit, IsStandardisedOverItsTrainingRows) {
  constexpr double kStart = 1.6e9;
  constexpr int kRows = 40, kTestRows = 13;
  const test::TemporaryFolder folder;
  std::string text = "a,b\n";
  std::vector<double> first, second;
  for (int i = 0; i < kRows; ++i) {
    first.push_back(kStart + 10 * std::sin(i) + i);
    second.push_back(0.01 * i * i);
    text += std::to_string(first.back()) + "," + std::to_string(second.back()) + "\n";
  }
  io::write_file(folder / "x.csv", text);
  DatasetOptions options;
  options.standardize = true;
  const Split split = shuffled_split(load_dataset(folder / "x.csv", options), 7, kTestRows);
  ASSERT_EQ(split.train.count(), kRows - kTestRows);
  const Standardization& by = split.description.standardization;
  for (const auto& [column, values] : {std::pair{0, &first}, {1, &second}}) {
    double sum = 0, squares = 0;
    const auto value = [&](const Dataset& set, std::int64_t row) {
      return (*values)[static_cast<std::size_t>(set.row_number(row))];
    };
    for (std::int64_t i = 0; i < split.train.count(); ++i) sum += value(split.train, i) - (*values)[0];
    const double mean = (*values)[0] + sum / static_cast<double>(split.train.count());
    for (std::int64_t i = 0; i < split.train.count(); ++i)
      squares += std::pow(value(split.train, i) - mean, 2);
    const double stddev = std::sqrt(squares / static_cast<double>(split.train.count()));
    const auto c = static_cast<std::size_t>(column);
    EXPECT_NEAR(by.mean[c], mean, 1e-6 * stddev);
    EXPECT_NEAR(by.stddev[c], stddev, 1e-6 * stddev);
    for (const Dataset* set : {&split.train, &split.test}) {
      const std::vector<double> got = set->examples.to_doubles();
      for (std::int64_t i = 0; i < set->count(); ++i)
        EXPECT_NEAR(got[static_cast<std::size_t>(2 * i) + c], (value(*set, i) - mean) / stddev, 1e-5);
    }
  }
}

}  // namespace
}  // namespace gpuvae
