// load_dataset: the split into training and validation rows, standardisation, unknown files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

// ---- the split into training and validation rows ----

TEST(LoadDataset, SplitsWithoutLosingRows) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", numbered_table(50));
  const Split split = load_dataset(folder / "t.csv", {.label_column = "class", .validation_fraction = 0.2});
  ASSERT_EQ(split.train.examples.shape(), (Shape{40, 2}));
  ASSERT_EQ(split.test.examples.shape(), (Shape{10, 2}));
  EXPECT_EQ(split.train.examples.dtype(), DType::f32);
  std::set<double> seen;
  for (const Dataset* part : {&split.train, &split.test}) {
    EXPECT_EQ(part->height, 1);
    EXPECT_EQ(part->width, 2);
    const Doubles values = part->examples.to_doubles();
    ASSERT_EQ(static_cast<std::int64_t>(part->labels.size()), part->count());
    for (std::size_t r = 0; r < part->labels.size(); ++r) {
      EXPECT_EQ(values[2 * r + 1], 10 * values[2 * r]);
      EXPECT_EQ(part->labels[r], static_cast<int>(values[2 * r]) % 3);
      EXPECT_TRUE(r == 0 || values[2 * r - 2] < values[2 * r]);  // rows keep the order of the file
      seen.insert(values[2 * r]);
    }
  }
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_EQ(split.source, "t.csv: 2 columns, labels from 'class'");
}

TEST(LoadDataset, TheSeedChoosesTheValidationRows) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", numbered_table(50));
  const auto chosen = [&](std::uint64_t seed) {
    return load_dataset(folder / "t.csv", {.seed = seed}).test.examples.to_doubles();
  };
  EXPECT_EQ(chosen(3), chosen(3));
  EXPECT_NE(chosen(3), chosen(4));
  EXPECT_EQ(chosen(3).size(), 15u);  // a tenth of 50 rows, 3 columns
}

TEST(LoadDataset, ValidationFractions) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", numbered_table(3));
  const auto sizes = [&](double fraction) {
    const Split split =
        load_dataset(folder / "t.csv", {.label_column = "1", .validation_fraction = fraction});
    return std::pair(split.train.count(), split.test.count());
  };
  EXPECT_EQ(sizes(0), (std::pair<std::int64_t, std::int64_t>(3, 0)));
  EXPECT_EQ(sizes(0.001), (std::pair<std::int64_t, std::int64_t>(2, 1)));  // at least one
  // At least one row remains for training.
  EXPECT_EQ(sizes(0.999), (std::pair<std::int64_t, std::int64_t>(1, 2)));
  for (const double fraction : {-0.1, 1.0, std::nan("")})
    expect_contains(error_of([&] {
                      static_cast<void>(load_dataset(folder / "t.csv", {.validation_fraction = fraction}));
                    }),
                    {"[load_dataset] expected a validation fraction from 0 to below 1"});
  expect_contains(error_of([&] { static_cast<void>(load_dataset(folder / "t.csv", {.max_rows = -1})); }),
                  {"max_rows", "-1"});
}

TEST(LoadDataset, MaxRowsKeepsTheFirstRows) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", numbered_table(20) + "not,a,row\n");
  DatasetOptions options = kAllInTraining;
  options.max_rows = 3;
  options.label_column = "class";
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 0, 1, 10, 2, 20}));
  EXPECT_EQ(split.train.labels, (Labels{0, 1, 2}));
  write_float_npy(folder / "t.npy", {4, 1}, {1, 2, 3, 4});
  options.label_column = "";
  EXPECT_EQ(load_dataset(folder / "t.npy", options).train.examples.to_doubles(), (Doubles{1, 2, 3}));
}

TEST(LoadDataset, NeedsTwoRows) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b\n1,2\n");
  write_float_npy(folder / "one.npy", {1, 3}, {1, 2, 3});
  write_float_npy(folder / "none.npy", {0, 3}, {});
  expect_contains(loading_error(folder / "t.csv"), {"expected 2 to 2^31-1 rows, got 1"});
  expect_contains(loading_error(folder / "one.npy"), {"rows, got 1"});
  EXPECT_EQ(load_dataset(folder / "t.csv", kAllInTraining).train.examples.to_doubles(), (Doubles{1, 2}));
  // One row is enough without a validation set.
  EXPECT_EQ(load_dataset(folder / "one.npy", kAllInTraining).train.count(), 1);
  expect_contains(loading_error(folder / "none.npy"), {"rows, got 0"});
}

// ---- standardisation ----

TEST(Standardize, UsesMeanAndStddevOfTheTrainingRows) {
  const TemporaryFolder folder;
  std::string text;
  for (int r = 0; r < 40; ++r) text += std::to_string(1e6 + r * r) + " " + std::to_string(-r) + "\n";
  io::write_file(folder / "t.txt", text);
  const Split raw = load_dataset(folder / "t.txt");
  const Split split = load_dataset(folder / "t.txt", {.standardize = true});
  EXPECT_EQ(split.source, "t.txt: 2 columns, standardised");
  const Doubles before = raw.train.examples.to_doubles(), after = split.train.examples.to_doubles(),
                test_before = raw.test.examples.to_doubles(), test_after = split.test.examples.to_doubles();
  for (std::size_t c = 0; c < 2; ++c) {
    double mean = 0, squares = 0;
    for (std::size_t i = c; i < before.size(); i += 2) mean += before[i] / 36;
    for (std::size_t i = c; i < before.size(); i += 2)
      squares += (before[i] - mean) * (before[i] - mean) / 36;
    for (std::size_t i = c; i < before.size(); i += 2)
      EXPECT_NEAR(after[i], (before[i] - mean) / std::sqrt(squares), 1e-6);
    for (std::size_t i = c; i < test_before.size(); i += 2)
      EXPECT_NEAR(test_after[i], (test_before[i] - mean) / std::sqrt(squares), 1e-6);
  }
}

TEST(Standardize, ConstantColumnsBecomeZero) {
  const TemporaryFolder folder;
  std::string text;
  for (int r = 0; r < 30; ++r) text += "0.1," + std::to_string(r) + "\n";
  io::write_file(folder / "t.csv", text);
  const Split split = load_dataset(folder / "t.csv", {.standardize = true});
  for (const Tensor& images : {split.train.examples, split.test.examples}) {
    const Doubles values = images.to_doubles();
    for (std::size_t i = 0; i < values.size(); i += 2) EXPECT_EQ(values[i], 0.0);
    EXPECT_TRUE(std::ranges::all_of(values, [](double v) { return std::isfinite(v); }));
  }
}

TEST(Standardize, OtherRowsCanBeStandardizedAndRestored) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "length,class,weight,fixed\n1,0,10,5\n3,1,50,5\n");
  DatasetOptions options = kAllInTraining;
  options.standardize = true;
  options.label_column = "class";
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.description.column_names, (std::vector<std::string>{"length", "weight", "fixed"}));
  EXPECT_EQ(split.description.standardization.mean, (Doubles{2, 30, 5}));
  EXPECT_EQ(split.description.standardization.stddev, (Doubles{1, 20, 0}));
  const Tensor other = Tensor::from(std::vector<float>{5, 20, 6}, {1, 3});
  standardize(split.description.standardization, other);
  EXPECT_EQ(other.to_doubles(), (Doubles{3, -0.5, 0}));
  std::vector<float> rows = {3, -0.5, 0.25, 0, 0, 0};
  restore_units(split.description.standardization, rows);
  EXPECT_EQ(rows, (std::vector<float>{5, 20, 5, 2, 30, 5}));
  const Tensor narrow = Tensor::from(std::vector<float>{5, 20}, {1, 2});
  expect_contains(error_of([&] { standardize(split.description.standardization, narrow); }),
                  {"expected rows of 3 columns, got 2"});
  rows.pop_back();
  expect_contains(error_of([&] { restore_units(split.description.standardization, rows); }),
                  {"expected rows of 3 columns, got 5 values"});
}

TEST(Standardize, UnnamedColumnsStayUnnamed) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "1,2\n3,4\n");
  const Split split = load_dataset(folder / "t.csv", kAllInTraining);
  EXPECT_TRUE(split.description.column_names.empty());
  EXPECT_TRUE(split.description.standardization.empty());
}

TEST(Standardize, AppliesOnlyToFloats) {
  const TemporaryFolder folder;
  write_byte_npy(folder / "b.npy", "(2, 2)", "abcd");
  write_float_npy(folder / "f.npy", {2, 1}, {0, 1});
  DatasetOptions options = kAllInTraining;
  options.standardize = true;
  EXPECT_EQ(load_dataset(folder / "b.npy", options).train.examples.dtype(), DType::u8);
  EXPECT_TRUE(load_dataset(folder / "b.npy", options).description.standardization.empty());
  options.standardize = false;
  EXPECT_EQ(load_dataset(folder / "f.npy", options).train.examples.to_doubles(), (Doubles{0, 1}));
  options.standardize = true;
  EXPECT_EQ(load_dataset(folder / "f.npy", options).train.examples.to_doubles(), (Doubles{-1, 1}));
  write_float_npy(folder / "i.npy", {2, 2, 1}, {0, 0.25, 0.5, 1});
  EXPECT_EQ(load_dataset(folder / "i.npy", options).train.examples.to_doubles(), (Doubles{0, 0.25, 0.5, 1}));
}

// ---- other paths ----

TEST(LoadDataset, UnknownFilesAreErrors) {
  const TemporaryFolder folder;
  expect_contains(loading_error(folder / "absent.csv"), {"expected a file or folder, got none"});
  io::write_file(folder / "t.parquet", "PAR1");
  expect_contains(loading_error(folder / "t.parquet"), {"MNIST's four files", "folder of images", "IDX",
                                                        ".npy", ".csv, .tsv, .txt", "got '.parquet'"});
  io::write_file(folder / "untitled", "1,2");
  expect_contains(loading_error(folder / "untitled"), {"got a file without an extension"});
}

}  // namespace
}  // namespace gpuvae
