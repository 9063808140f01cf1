// The kind of a data set's numbers: it is determined from the values, whatever their type, and kept for a
// model.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;

// Writes values as the elements of any type, in either byte order.
template <class T>
void write_npy_of(const std::filesystem::path& path, const std::string& dtype, const std::string& shape,
                  const Doubles& values, bool fortran = false) {
  std::string data;
  for (const double value : values) {
    const T element = static_cast<T>(value);
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &element, sizeof(T));
    if (dtype[0] == '>') bytes = std::string(bytes.rbegin(), bytes.rend());
    data += bytes;
  }
  std::string header = "{'descr': '" + dtype + "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  header.resize(118, ' ');
  io::write_file(path, "\x93NUMPY\x01\x00\x76\x00"s + header + data);
}

// Writes values, each of which is exact in every type, in each of NumPy's types.
std::vector<std::string> write_all_types(const TemporaryFolder& folder, const std::string& shape,
                                         const Doubles& values, bool with_bytes = true) {
  std::vector<std::string> names;
  for (const char* order : {"<", ">"}) {
    const auto write = [&]<class T>(const std::string& code, T) {
      names.push_back(code + (order[0] == '<' ? "_little.npy" : "_big.npy"));
      write_npy_of<T>(folder / names.back(), order + code, shape, values);
    };
    if (with_bytes) write("u1", std::uint8_t{});
    write("u2", std::uint16_t{});
    write("i2", std::int16_t{});
    write("u4", std::uint32_t{});
    write("i4", std::int32_t{});
    write("u8", std::uint64_t{});
    write("i8", std::int64_t{});
    write("f4", float{});
    write("f8", double{});
  }
  return names;
}

void expect_range(const ValueRange& range, ValueKind kind, double low, double high) {
  EXPECT_STREQ(name(range.kind), name(kind));
  EXPECT_EQ(range.low, low);
  EXPECT_EQ(range.high, high);
  EXPECT_FALSE(range.scaled);
}

TEST(Values, WholeNumbersTo255AreBytesInEveryType) {
  const TemporaryFolder folder;
  const Doubles values = {0, 1, 2, 3, 100, 127, 128, 200, 254, 255, 7, 8};
  for (const std::string& name : write_all_types(folder, "(2, 2, 3)", values)) {
    SCOPED_TRACE(name);
    const Split split = load_dataset(folder / name, kAllInTraining);
    EXPECT_EQ(split.train.examples.dtype(), DType::u8);
    EXPECT_EQ(split.train.examples.to_doubles(), values);
    expect_range(split.description.values, ValueKind::bytes, 0, 255);
    EXPECT_TRUE(split.notes.empty());
  }
  // Rows of many columns, too; the standardisation of tables does not apply to bytes.
  Doubles rows(32);
  std::iota(rows.begin(), rows.end(), 224);
  DatasetOptions options = kAllInTraining;
  options.standardize = true;
  for (const std::string& name : write_all_types(folder, "(2, 16)", rows)) {
    SCOPED_TRACE(name);
    const Split split = load_dataset(folder / name, options);
    EXPECT_EQ(split.train.examples.dtype(), DType::u8);
    EXPECT_EQ(split.train.examples.to_doubles(), rows);
    EXPECT_TRUE(split.description.standardization.empty());
  }
}

TEST(Values, CountsAreNotBytes) {
  const TemporaryFolder folder;
  for (const std::string& name : write_all_types(folder, "(2, 1, 3)", {0, 1, 2, 3, 256, 300}, false)) {
    SCOPED_TRACE(name);
    const Split split = load_dataset(folder / name, kAllInTraining);
    EXPECT_EQ(split.train.examples.dtype(), DType::f32);
    EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 1, 2, 3, 256, 300}));
    expect_range(split.description.values, ValueKind::counts, 0, 300);
  }
  // Few columns of small whole numbers are categories or counts unless the type is a byte.
  for (const std::string& name : write_all_types(folder, "(3, 2)", {0, 1, 2, 3, 4, 9})) {
    SCOPED_TRACE(name);
    const bool bytes = name.starts_with("u1");
    const Split split = load_dataset(folder / name, kAllInTraining);
    EXPECT_EQ(split.train.examples.dtype(), bytes ? DType::u8 : DType::f32);
    EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 1, 2, 3, 4, 9}));
    expect_range(split.description.values, bytes ? ValueKind::bytes : ValueKind::counts, 0, bytes ? 255 : 9);
  }
}

TEST(Values, UnitNumbersAreNotScaled) {
  const TemporaryFolder folder;
  for (const std::string& name : write_all_types(folder, "(2, 2, 1)", {0, 1, 1, 0})) {
    SCOPED_TRACE(name);
    const Split split = load_dataset(folder / name, kAllInTraining);
    EXPECT_EQ(split.train.examples.dtype(), DType::f32);
    EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 1, 1, 0}));
    expect_range(split.description.values, ValueKind::unit, 0, 1);
  }
  write_npy_of<bool>(folder / "b1.npy", "|b1", "(2, 2, 1)", {0, 1, 1, 0});
  EXPECT_EQ(load_dataset(folder / "b1.npy", kAllInTraining).train.examples.to_doubles(),
            (Doubles{0, 1, 1, 0}));
  write_npy_of<double>(folder / "f8.npy", "<f8", "(2, 2)", {0, 0.25, 0.5, 1});
  const Split split = load_dataset(folder / "f8.npy", kAllInTraining);
  expect_range(split.description.values, ValueKind::unit, 0, 1);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 0.25, 0.5, 1}));
}

TEST(Values, OtherRanges) {
  const TemporaryFolder folder;
  const auto range = [&](const std::string& shape, const Doubles& values) {
    write_npy_of<double>(folder / "x.npy", "<f8", shape, values);
    return load_dataset(folder / "x.npy", kAllInTraining).description.values;
  };
  expect_range(range("(2, 2, 1)", {-1, -0.5, 0, 1}), ValueKind::signed_unit, -1, 1);
  expect_range(range("(2, 2, 1)", {-1.25, -0.5, 0, 1}), ValueKind::any, -1.25, 1);
  expect_range(range("(2, 2, 1)", {0, 0.5, 255, 254}), ValueKind::any, 0, 255);
  expect_range(range("(2, 2)", {-3, 2, 1, 0}), ValueKind::any, -3, 2);
  Doubles standardized;
  for (int r = 0; r < 30; ++r)
    standardized.insert(standardized.end(),
                        {r % 2 ? 1.0 : -1.0, r % 3 - 1 == 0 ? 0 : std::sqrt(1.5) * (r % 3 - 1)});
  expect_range(range("(30, 2)", standardized), ValueKind::standardized, -std::sqrt(1.5), std::sqrt(1.5));
  for (double& v : standardized) v *= 1.5;
  EXPECT_STREQ(name(range("(30, 2)", standardized).kind), "any");
}

TEST(Values, FortranOrderAndImageShapes) {
  const TemporaryFolder folder;
  // Element [i, y, x] is 100 i + 10 y + x; in Fortran order i varies fastest.
  write_npy_of<std::int64_t>(folder / "f.npy", "<i8", "(2, 2, 3)",
                             {0, 100, 10, 110, 1, 101, 11, 111, 2, 102, 12, 112}, true);
  const Dataset f = load_dataset(folder / "f.npy", kAllInTraining).train;
  EXPECT_EQ(f.examples.to_doubles(), (Doubles{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}));
  EXPECT_EQ(f.height, 2);
  EXPECT_EQ(f.width, 3);
  EXPECT_EQ(f.examples.dtype(), DType::u8);
}

TEST(Values, DarkImagesAreNoted) {
  const TemporaryFolder folder;
  write_npy_of<double>(folder / "digits.npy", "<f8", "(2, 2, 2)",
                       {0, 16, 3, 4, 5, 6, 7, 8});  // as in scikit-learn
  const Split split = load_dataset(folder / "digits.npy", kAllInTraining);
  EXPECT_EQ(split.train.examples.dtype(), DType::u8);
  ASSERT_EQ(split.notes.size(), 1u);
  expect_contains(split.notes[0], {"reach only 16 of 255", "--value-range 0:16"});
  DatasetOptions options = kAllInTraining;
  options.value_range = {0, 16};
  const Split scaled = load_dataset(folder / "digits.npy", options);
  EXPECT_EQ(scaled.train.examples.to_doubles(), (Doubles{0, 1, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5}));
}

// ---- a given range ----

TEST(ValueRange, ScalesEveryKindOfDataToTheUnitInterval) {
  const TemporaryFolder folder;
  DatasetOptions options = kAllInTraining;
  options.standardize = true;  // is not applied to scaled values
  options.value_range = {-2, 6};
  io::write_file(folder / "t.csv", "a,b\n-2,6\n0,2\n");
  const Split table = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(table.train.examples.to_doubles(), (Doubles{0, 1, 0.25, 0.5}));
  EXPECT_TRUE(table.description.values.scaled);
  EXPECT_EQ(table.description.values.low, -2);
  EXPECT_EQ(table.description.values.high, 6);
  EXPECT_TRUE(table.description.standardization.empty());
  EXPECT_EQ(restored(table.description, std::vector<float>{0, 1, 0.25f, 0.5f}), (Doubles{-2, 6, 0, 2}));
  options.value_range = {0, 65535};
  write_npy_of<std::uint16_t>(folder / "u2.npy", ">u2", "(1, 2, 2)", {0, 65535, 13107, 26214});
  EXPECT_EQ(load_dataset(folder / "u2.npy", options).train.examples.to_vector(),
            (std::vector<float>{0, 1, 0.2f, 0.4f}));
  options.value_range = {0, 51};
  write_picture(folder / "one.png", 2, 1, 51);
  std::filesystem::create_directory(folder / "pictures");
  write_picture(folder.path() / "pictures" / "a.png", 2, 1, 51);
  EXPECT_EQ(load_dataset(folder / "pictures", options).train.examples.to_doubles(), (Doubles{1, 1}));
  for (const char* prefix : {"train-", "t10k-"})
    io::write_idx_images(folder / (prefix + "images-idx3-ubyte"s), {1, 2, 1}, {0, 51});
  EXPECT_EQ(load_dataset(folder.path(), options).test.examples.to_doubles(), (Doubles{0, 1}));
}

TEST(ValueRange, Of255MakesWholeNumbersBytes) {
  const TemporaryFolder folder;
  DatasetOptions options = kAllInTraining;
  options.value_range = {0, 255};
  io::write_file(folder / "t.csv", "a,b\n3,255\n0,2\n");
  const Split bytes = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(bytes.train.examples.dtype(), DType::u8);
  EXPECT_EQ(bytes.train.examples.to_doubles(), (Doubles{3, 255, 0, 2}));
  io::write_file(folder / "t.csv", "a,b\n51,255\n0,2.55\n");
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.examples.to_vector(),
            (std::vector<float>{0.2f, 1, 0, 0.01f}));
}

TEST(ValueRange, ValuesOutsideAndBadRangesAreErrors) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b\n0,1\n0.5,1.5\n");
  DatasetOptions options = kAllInTraining;
  options.value_range = {0, 1};
  expect_contains(loading_error(folder / "t.csv", options),
                  {"expected values from 0 to 1, got 1.5 in row 1, column 1 ('b') (from 0)"});
  write_byte_npy(folder / "x.npy", "(1, 2, 2)", "\x01\x01\x01\x02");
  expect_contains(loading_error(folder / "x.npy", options),
                  {"expected values from 0 to 1, got 2 in image 0, line 1, column 1 (from 0)"});
  for (const std::array<double, 2>& range :
       {std::array{1.0, 1.0}, {2.0, 1.0}, {0.0, std::nan("")}, {0.0, INFINITY}, {-1e308, 1e308}}) {
    options.value_range = range;
    expect_contains(error_of([&] { static_cast<void>(load_dataset(folder / "t.csv", options)); }),
                    {"[load_dataset] expected a value range of two finite numbers"});
  }
}

TEST(ValueRange, IsDescribedInOneLine) {
  EXPECT_EQ(describe({ValueKind::bytes, 0, 255}),
            "whole numbers from 0 to 255, taken as bytes (divided by 255)");
  EXPECT_EQ(describe({ValueKind::unit, 0, 1}), "numbers from 0 to 1, used as they are");
  EXPECT_EQ(describe({ValueKind::signed_unit, -1, 1}), "numbers from -1 to 1, used as they are");
  EXPECT_EQ(describe({ValueKind::counts, 0, 12}), "whole numbers from 0 to 12, used as they are");
  EXPECT_EQ(describe({ValueKind::standardized, -2, 3.5}),
            "numbers from -2 to 3.5, with standardised columns");
  EXPECT_EQ(describe({ValueKind::any, -2, 3.5}), "numbers from -2 to 3.5, used as they are");
  EXPECT_EQ(describe({ValueKind::unit, -2, 6, true}), "numbers scaled from [-2, 6] to [0, 1]");
}

// ---- precision ----

TEST(Standardize, IsComputedInDoublePrecision) {
  const TemporaryFolder folder;
  std::string text = "time,x\n";
  Doubles seconds(80);
  std::iota(seconds.begin(), seconds.end(), 1700000000.0);
  for (const double t : seconds) text += std::to_string(static_cast<long long>(t)) + ",1\n";
  io::write_file(folder / "t.csv", text);
  write_npy_of<std::int64_t>(folder / "t.npy", "<i8", "(80, 1)", seconds);
  DatasetOptions options = kAllInTraining;
  options.standardize = true;
  options.columns = {"time"};
  const Split table = load_dataset(folder / "t.csv", options);
  options.columns = {};
  for (const Split& split : {table, load_dataset(folder / "t.npy", options)}) {
    // The mean of 0, ..., 79 is 39.5 and their variance (80^2 - 1) / 12.
    const double stddev = std::sqrt(6399.0 / 12);
    EXPECT_EQ(split.description.standardization.mean[0], 1700000039.5);
    EXPECT_NEAR(split.description.standardization.stddev[0], stddev, 1e-12);
    const Doubles z = split.train.examples.to_doubles();
    for (int r = 0; r < 80; ++r) EXPECT_NEAR(z[static_cast<std::size_t>(r)], (r - 39.5) / stddev, 1e-7) << r;
    const std::vector<float> rows = split.train.examples.to_vector();
    for (int r = 0; r < 80; ++r)
      EXPECT_NEAR(restored(split.description, rows)[static_cast<std::size_t>(r)], 1700000000.0 + r, 1e-5);
  }
}

TEST(Standardize, NumbersBeyondFloatsNeedIt) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b\n1e300,1\n3e300,2\n");
  DatasetOptions options = kAllInTraining;
  expect_contains(loading_error(folder / "t.csv", options),
                  {"expected numbers within 32-bit floats, got 1e+300"});
  options.standardize = true;
  expect_contains(loading_error(folder / "t.csv", options),
                  {"variance is within 64-bit floats, got column 0"});
  io::write_file(folder / "t.csv", "a,b\n1e100,1\n3e100,2\n");
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.examples.to_doubles(), (Doubles{-1, -1, 1, 1}));
}

// ---- row numbers and fingerprints ----

TEST(RowNumbers, SayWhereTheRowsStoodInTheFile) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", numbered_table(50));
  const Split split = load_dataset(folder / "t.csv", {.label_column = "class"});
  for (const Dataset* part : {&split.train, &split.test}) {
    const Doubles values = part->examples.to_doubles();
    for (std::int64_t i = 0; i < part->count(); ++i)
      EXPECT_EQ(static_cast<double>(part->row_number(i)), values[static_cast<std::size_t>(2 * i)]);
    const Dataset some = part->slice(1, 3);
    EXPECT_EQ(some.row_number(2), part->row_number(3));
    EXPECT_EQ(some.to(Device::cpu()).row_number(2), part->row_number(3));
  }
  const Dataset digits = procedural_mnist(20, 1).train;
  EXPECT_EQ(digits.row_number(7), 7);
  EXPECT_EQ(digits.slice(5, 9).slice(2, 3).row_number(1), 8);
  EXPECT_EQ(procedural_frey().test.row_number(0), 1800);
}

TEST(Fingerprint, ChangesWithEveryPartOfTheData) {
  const auto of = [](std::vector<float> values, const Shape& shape, std::vector<std::uint8_t> labels = {},
                     int height = 1) {
    Dataset set{height, static_cast<int>(shape[1]) / height, Tensor::from(values, shape), std::move(labels)};
    return fingerprint(set);
  };
  const std::uint64_t plain = of({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(plain, of({1, 2, 3, 4, 5, 6}, {2, 3}));
  EXPECT_NE(plain, of({1, 2, 3, 4, 5, 7}, {2, 3}));
  EXPECT_NE(plain, of({2, 1, 3, 4, 5, 6}, {2, 3}));
  EXPECT_NE(plain, of({4, 5, 6, 1, 2, 3}, {2, 3}));
  EXPECT_NE(plain, of({1, 2, 3, 4, 5, 6}, {3, 2}));
  EXPECT_NE(plain, of({1, 2, 3, 4, 5, 6}, {2, 3}, {0, 1}));
  EXPECT_NE(of({1, 2, 3, 4}, {1, 4}, {}, 1), of({1, 2, 3, 4}, {1, 4}, {}, 2));
  const Dataset bytes{1, 3, Tensor::from(std::vector<std::uint8_t>{1, 2, 3}, {1, 3})};
  const Dataset other{1, 3, Tensor::from(std::vector<std::uint8_t>{1, 2, 4}, {1, 3})};
  EXPECT_NE(fingerprint(bytes), fingerprint(other));
}

}  // namespace
}  // namespace gpuvae
