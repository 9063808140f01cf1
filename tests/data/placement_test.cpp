// Tests of data sets whose examples stay in their file: they equal those in memory.
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::expect_contains;
using test::loading_error;
using test::TemporaryFolder;
using test::write_byte_npy;

// Returns all examples of a set, in its order, as they are in memory.
Tensor all_of(const Dataset& set) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(set.count()));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return set.select(numbers);
}

void expect_equal(const Dataset& memory, const Dataset& file) {
  EXPECT_FALSE(memory.source);
  ASSERT_TRUE(file.source);
  EXPECT_FALSE(file.examples);
  ASSERT_EQ(file.count(), memory.count());
  EXPECT_EQ(file.features(), memory.features());
  EXPECT_EQ(file.dtype(), memory.dtype());
  EXPECT_EQ(file.height, memory.height);
  EXPECT_EQ(file.width, memory.width);
  EXPECT_EQ(file.labels, memory.labels);
  EXPECT_EQ(all_of(file).to_doubles(), memory.examples.to_doubles());
  EXPECT_EQ(fingerprint(file), fingerprint(memory));
  for (std::int64_t i = 0; i < memory.count(); ++i) EXPECT_EQ(file.row_number(i), memory.row_number(i));
}

Split load(const std::filesystem::path& path, DatasetOptions options, Placement placement) {
  options.placement = placement;
  return load_dataset(path, options);
}

// Loads a file both ways, and returns the set that stays in the file.
Split expect_equal_sets(const std::filesystem::path& path, const DatasetOptions& options = {}) {
  const Split memory = load(path, options, Placement::memory), file = load(path, options, Placement::file);
  expect_equal(memory.train, file.train);
  expect_equal(memory.test, file.test);
  EXPECT_EQ(file.source, memory.source);
  EXPECT_EQ(file.description.standardization.mean, memory.description.standardization.mean);
  EXPECT_EQ(file.description.standardization.stddev, memory.description.standardization.stddev);
  EXPECT_EQ(describe(file.description.values), describe(memory.description.values));
  EXPECT_EQ(file.notes.size(), memory.notes.size() + 1);
  return file;
}

template <class T>
void write_values(const std::filesystem::path& path, const std::string& type, const std::string& shape,
                  const std::vector<T>& values) {
  write_byte_npy(path, shape, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)},
                 type);
}

std::vector<double> numbers(std::size_t count, double scale, double shift) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(scale * static_cast<double>(i * i * 7 % 1009) / 1009 + shift);
  return values;
}

template <class T>
std::vector<T> as(const std::vector<double>& values) {
  std::vector<T> result;
  for (const double v : values) result.push_back(static_cast<T>(v));
  return result;
}

TEST(Placement, EveryKindOfNumbersEqualsThatInMemory) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "|u1", "(31, 5, 7)", as<std::uint8_t>(numbers(31 * 35, 255, 0)));
  EXPECT_EQ(expect_equal_sets(path).description.values.kind, ValueKind::bytes);
  write_values(path, "<f4", "(31, 35)", as<float>(numbers(31 * 35, 1, 0)));
  EXPECT_EQ(expect_equal_sets(path).description.values.kind, ValueKind::unit);
  write_values(path, "<f8", "(31, 35)", numbers(31 * 35, 50, -20));
  EXPECT_EQ(expect_equal_sets(path).description.values.kind, ValueKind::any);
  EXPECT_EQ(expect_equal_sets(path, {.standardize = true}).description.values.kind, ValueKind::standardized);
  write_values(path, "<f4", "(31, 35)", as<float>(numbers(31 * 35, 50, 1e6)));
  expect_equal_sets(path, {.standardize = true, .validation_fraction = 0.3, .seed = 5});
  write_values(path, "<i2", "(31, 35)", as<std::int16_t>(numbers(31 * 35, 30000, 0)));
  EXPECT_EQ(expect_equal_sets(path).description.values.kind, ValueKind::counts);
  DatasetOptions scaled;
  scaled.value_range = {0, 30000};
  EXPECT_TRUE(expect_equal_sets(path, scaled).description.values.scaled);
  // Whole numbers from 0 to 255 of any type are bytes.
  write_values(path, "<i8", "(31, 35)", as<std::int64_t>(numbers(31 * 35, 255, 0)));
  EXPECT_EQ(expect_equal_sets(path).description.values.kind, ValueKind::bytes);
}

// Rows of about 300 KiB make several parts, and rows of one value make long runs.
TEST(Placement, RowsOfAnySize) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "<f4", "(11, 80000)", as<float>(numbers(11 * 80000, 1, 0)));
  expect_equal_sets(path);
  write_values(path, "<f8", "(400001, 1)", numbers(400001, 1, 0));
  const Split memory = load(path, {}, Placement::memory), file = load(path, {}, Placement::file);
  EXPECT_EQ(all_of(file.train).to_vector(), memory.train.examples.to_vector());
  EXPECT_EQ(fingerprint(file.test), fingerprint(memory.test));
  EXPECT_EQ(file.train.row_number(300000), memory.train.row_number(300000));
}

TEST(Placement, PartsAndSomeRows) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "|u1", "(40, 20)", as<std::uint8_t>(numbers(800, 255, 0)));
  expect_equal_sets(path, {.max_rows = 17});
  expect_equal_sets(path, {.validation_fraction = 0});
  const Split memory = load(path, {}, Placement::memory), file = load(path, {}, Placement::file);
  expect_equal(memory.train.slice(3, 20), file.train.slice(3, 20));
  expect_equal(memory.train.slice(3, 20).slice(5, 6), file.train.slice(3, 20).slice(5, 6));
  EXPECT_EQ(file.train.slice(2, 0).count(), 0);
  EXPECT_THROW(static_cast<void>(file.train.slice(30, 7)), Error);
  const std::vector<std::int64_t> some = {35, 0, 7, 7, 8, 9, 1};
  EXPECT_EQ(file.train.select(some).to_doubles(), memory.train.select(some).to_doubles());
  const std::vector<std::int64_t> outside = {36};
  EXPECT_THROW(static_cast<void>(file.train.select(outside)), Error);
}

TEST(Placement, Batches) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "|u1", "(40, 20)", as<std::uint8_t>(numbers(800, 255, 0)));
  const Split memory = load(path, {}, Placement::memory), file = load(path, {}, Placement::file);
  for (const Binarize how : {Binarize::none, Binarize::threshold, Binarize::fixed, Binarize::dynamic})
    for (const bool shuffle : {true, false})
      for (std::uint64_t step = 0; step < 12; ++step) {
        const Clock clock{.step = step, .steps_per_epoch = 4};
        const BatchOptions options{.shuffle = shuffle, .binarize = how, .seed = 3};
        const Batch expected = gather_batch(memory.train, 10, clock, options),
                    got = gather_batch(file.train, 10, clock, options);
        EXPECT_EQ(got.x.to_vector(), expected.x.to_vector());
        EXPECT_EQ(got.samples.to_doubles(), expected.samples.to_doubles());
      }
  EXPECT_THROW(static_cast<void>(gather_batch(file.train, 10, {.steps_per_epoch = 5}, {})), Error);
}

TEST(Placement, IdxFilesAndMnist) {
  const TemporaryFolder folder;
  for (const std::string part : {"train", "t10k"}) {
    const std::int64_t count = part == "train" ? 30 : 10;
    io::write_idx_images(folder / (part + "-images-idx3-ubyte"), {count, 4, 5},
                         as<std::uint8_t>(numbers(static_cast<std::size_t>(count) * 20, 255, 0)));
    io::write_idx_labels(folder / (part + "-labels-idx1-ubyte"),
                         as<std::uint8_t>(numbers(static_cast<std::size_t>(count), 10, 0)));
  }
  expect_equal_sets(folder / "train-images-idx3-ubyte");
  for (const DatasetOptions& options : {DatasetOptions{}, DatasetOptions{.max_rows = 7}}) {
    DatasetOptions ranged = options;
    ranged.value_range = {0, 256};
    for (const DatasetOptions& o : {options, ranged}) {
      const Split memory = load(folder.path(), o, Placement::memory),
                  file = load(folder.path(), o, Placement::file);
      expect_equal(memory.train, file.train);
      expect_equal(memory.test, file.test);
      EXPECT_EQ(file.notes.size(), memory.notes.size() + 2);
    }
  }
}

TEST(Placement, OtherDataForAModel) {
  const TemporaryFolder folder;
  write_values(folder / "x.npy", "<f8", "(31, 6)", numbers(31 * 6, 50, -20));
  const DataDescription like = load_dataset(folder / "x.npy", {.standardize = true}).description;
  std::vector<double> values = numbers(60, 70, -30);
  values[31] = 1e9;
  write_values(folder / "y.npy", "<f8", "(10, 6)", values);
  const auto loaded = [&](Placement placement) {
    return load_like(folder / "y.npy", like, Header::automatic, "", placement);
  };
  const Split memory = loaded(Placement::memory), file = loaded(Placement::file);
  expect_equal(memory.train, file.train);
  EXPECT_EQ(file.notes.back(), memory.notes.back());
  EXPECT_NE(file.notes.back().find("row 5, column 1"), std::string::npos) << file.notes.back();
}

TEST(Placement, WrongValuesHaveTheSameErrors) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), 1e100}) {
    std::vector<double> values = numbers(300000, 1, 0);
    values[299998] = bad;
    write_values(path, "<f8", "(100000, 3)", values);
    const std::string memory = loading_error(path, {.placement = Placement::memory});
    EXPECT_EQ(loading_error(path, {.placement = Placement::file}), memory);
    expect_contains(memory, {"row 99999, column 1"});
  }
}

TEST(Placement, DataThatMustBeInMemoryAreRefused) {
  const TemporaryFolder folder;
  const DatasetOptions in_file{.placement = Placement::file};
  std::ofstream(folder / "t.csv") << "a,b\n1,2\n3,4\n";
  expect_contains(loading_error(folder / "t.csv", in_file), {"expected an uncompressed NPY file"});
  expect_contains(loading_error(folder.path(), in_file), {"expected an uncompressed NPY file"});
  gzFile gz = gzopen((folder / "x.npy.gz").c_str(), "wb");
  gzputs(gz, "anything");
  gzclose(gz);
  expect_contains(loading_error(folder / "x.npy.gz", in_file), {"expected an uncompressed NPY file"});
}

TEST(Placement, SmallFilesAreReadAndLargeOnesStay) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "|u1", "(40, 20)", as<std::uint8_t>(numbers(800, 255, 0)));
  EXPECT_FALSE(load_dataset(path).train.source);
  // A sparse file of zeros, one row above the limit.
  constexpr std::int64_t kRows = (256 << 20) / 1024 + 1;
  write_byte_npy(path, "(" + std::to_string(kRows) + ", 1024)", "");
  std::filesystem::resize_file(path, 128 + kRows * 1024);
  const Split split = load_dataset(path, {.validation_fraction = 0});
  ASSERT_TRUE(split.train.source);
  EXPECT_EQ(split.train.count(), kRows);
  expect_contains(split.notes.back(), {"x.npy", "256.0 MiB", "stay in the file"});
}

TEST(Placement, AFileThatChangesFailsTheNextBatch) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_values(path, "|u1", "(40, 20)", as<std::uint8_t>(numbers(800, 255, 0)));
  const Dataset set = load(path, {}, Placement::file).train;
  static_cast<void>(gather_batch(set, 10, {.steps_per_epoch = 4}, {}));
  std::filesystem::resize_file(path, 500);
  expect_contains(error_of([&] { static_cast<void>(gather_batch(set, 36, {}, {})); }),
                  {"[read] " + path.string(), "got"});
}

TEST(Placement, Names) {
  EXPECT_STREQ(name(Placement::automatic), "auto");
  EXPECT_STREQ(name(Placement::memory), "memory");
  EXPECT_STREQ(name(Placement::file), "file");
}

}  // namespace
}  // namespace gpuvae
