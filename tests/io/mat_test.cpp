#include "src/io/mat.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include "tests/io/mat_bytes.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using namespace mat_bytes;
using Numbers = std::vector<double>;
using Shape = std::vector<std::int64_t>;

std::string ramp_text(std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  return bytes;
}
std::vector<std::uint8_t> ramp_bytes(std::size_t size) {
  const std::string bytes = ramp_text(size);
  return {bytes.begin(), bytes.end()};
}
// ff, a uint8 matrix of 5 x 7.
Matrix faces() { return {.data = ramp_text(35)}; }

class MatTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "faces.mat"; }
  // Some file systems wait for the disk when a file is replaced, so it is removed first.
  void put(std::string_view bytes) const {
    std::filesystem::remove(path());
    std::ofstream(path(), std::ios::binary) << bytes;
  }
  MatMatrix read(const std::string& elements, const std::string& variable = "ff", bool big = false) const {
    put(header(big) + elements);
    return read_mat(path(), variable);
  }
  // The values of a matrix as numbers.
  Numbers values(const MatMatrix& m) const { return m.bytes ? Numbers(m.u8.begin(), m.u8.end()) : m.f64; }

  // Expects an error of one line that begins with the operation and the path and contains each of the
  // reasons.
  void expect_error(std::initializer_list<std::string> reasons, const std::string& variable = "ff") const {
    const std::string message = test::error_of([&] { read_mat(path(), variable); });
    EXPECT_EQ(message.find("[read] " + path().string() + ": "), 0u) << message;
    for (const std::string& reason : reasons)
      EXPECT_NE(message.find(reason), std::string::npos) << message << "\n  lacks: " << reason;
  }
  void rejects(const std::string& elements, std::initializer_list<std::string> reasons,
               const std::string& variable = "ff") const {
    put(header() + elements);
    expect_error(reasons, variable);
  }

  test::TemporaryFolder folder_;
};

// Every class, in every type that can store the numbers, compressed or not, in both byte orders.
struct Storage {
  const char* name;
  std::uint32_t type;
  std::string (*store)(const Numbers& values, bool big);
  double low, high;
};
template <class T>
std::string store(const Numbers& values, bool big) {
  std::string bytes;
  for (const double value : values) bytes += number(static_cast<T>(value), big);
  return bytes;
}
template <class T>
Storage storage(const char* name, std::uint32_t type) {
  // The largest integers that a double holds exactly; the limits of the floating-point types do not matter
  // here.
  constexpr double kExact = 9007199254740992.0;
  return {name, type, store<T>, std::max(-kExact, static_cast<double>(std::numeric_limits<T>::lowest())),
          std::min(kExact, static_cast<double>(std::numeric_limits<T>::max()))};
}
const std::vector<Storage> kStorages = {
    storage<std::int8_t>("int8", int8),    storage<std::uint8_t>("uint8", uint8),
    storage<std::int16_t>("int16", int16), storage<std::uint16_t>("uint16", uint16),
    storage<std::int32_t>("int32", int32), storage<std::uint32_t>("uint32", uint32),
    storage<float>("single", single),      storage<double>("double", real),
    storage<std::int64_t>("int64", int64), storage<std::uint64_t>("uint64", uint64)};
const Storage& storage_of(const std::string& name) {
  return *std::ranges::find(kStorages, name, [](const Storage& s) { return std::string(s.name); });
}

class EveryClass : public MatTest, public testing::WithParamInterface<std::tuple<std::uint32_t, bool, bool>> {
 protected:
  std::uint32_t kind() const { return std::get<0>(GetParam()); }
  bool big() const { return std::get<2>(GetParam()); }
  std::string packed(const Matrix& m) const {
    return std::get<1>(GetParam()) ? compressed(m.bytes(), 0, big()) : m.bytes();
  }
};
const char* const kClassNames[] = {"double", "single", "int8",   "uint8", "int16",
                                   "uint16", "int32",  "uint32", "int64", "uint64"};
INSTANTIATE_TEST_SUITE_P(, EveryClass,
                         testing::Combine(testing::Range<std::uint32_t>(f64, u64 + 1), testing::Bool(),
                                          testing::Bool()),
                         [](const auto& test) {
                           return std::string(kClassNames[std::get<0>(test.param) - f64]) +
                                  (std::get<1>(test.param) ? "Compressed" : "") +
                                  (std::get<2>(test.param) ? "BigEndian" : "");
                         });

TEST_P(EveryClass, ReadsTheNumbersFromEveryTypeThatHoldsThem) {
  const std::string class_name = kClassNames[kind() - f64];
  const Storage& own = storage_of(class_name);
  for (const Storage& storage : kStorages) {
    // The limits of the narrower type, and numbers of both signs between them.
    Numbers expected = {std::max(own.low, storage.low), std::min(own.high, storage.high), 0, 1, 2, 100};
    if (class_name == "single" || std::string(storage.name) == "single")
      expected = {0, 1, 2, 100, 0.5, -0.25};
    if (class_name == "double" && std::string(storage.name) == "double") expected[4] = 0.1;
    for (double& value : expected)
      value = std::clamp(class_name == "single" || class_name == "double" ? value : std::trunc(value),
                         std::max(own.low, storage.low), std::min(own.high, storage.high));
    if (std::string(storage.name) != "single" && std::string(storage.name) != "double")
      for (double& value : expected) value = std::trunc(value);
    const Matrix m{.kind = kind(),
                   .type = storage.type,
                   .dims = {2, 3},
                   .data = storage.store(expected, big()),
                   .big = big()};
    const MatMatrix read_matrix = read(packed(m), "ff", big());
    EXPECT_EQ(read_matrix.name, "ff");
    EXPECT_EQ(read_matrix.class_name, class_name);
    EXPECT_EQ(read_matrix.shape, (Shape{2, 3}));
    EXPECT_EQ(read_matrix.bytes, class_name == "uint8");
    EXPECT_EQ(values(read_matrix), expected) << "stored as " << storage.name;
  }
}

TEST_P(EveryClass, ReadsOneToNineElements) {  // up to four bytes are stored in the tag
  const Storage& own = storage_of(kClassNames[kind() - f64]);
  for (int n = 1; n <= 9; ++n) {
    Numbers expected(static_cast<std::size_t>(n));
    std::iota(expected.begin(), expected.end(), 3);
    const Matrix m{
        .kind = kind(), .type = own.type, .dims = {1, n}, .data = own.store(expected, big()), .big = big()};
    EXPECT_EQ(values(read(packed(m), "ff", big())), expected);
  }
}

TEST_P(EveryClass, EveryTruncationIsAnError) {
  const Storage& own = storage_of(kClassNames[kind() - f64]);
  const Numbers numbers(2000, 1);
  const Matrix m{
      .kind = kind(), .type = own.type, .dims = {40, 50}, .data = own.store(numbers, big()), .big = big()};
  const std::string whole = header(big()) + packed(m);
  put(whole);
  ASSERT_EQ(values(read_mat(path(), "ff")), numbers);
  for (std::size_t size = 0; size < whole.size(); size += size < 300 ? 4 : 97) {
    put(whole.substr(0, size));
    expect_error({size == 0     ? "empty"
                  : size == 128 ? "no variables"
                  : size < 19   ? "not a MATLAB"
                                : "truncated"});
  }
}

TEST_P(EveryClass, DamagedBytesNeverCrash) {
  const Storage& own = storage_of(kClassNames[kind() - f64]);
  const Matrix m{.kind = kind(),
                 .type = own.type,
                 .dims = {2, 3},
                 .data = own.store(Numbers(6, 1), big()),
                 .big = big()};
  const std::string whole =
      header(big()) +
      packed({.name = "text", .kind = text, .dims = {1, 35}, .data = ramp_text(35), .big = big()}) +
      packed(m);
  for (std::size_t at = 124 + kind() % 3; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    put(damaged);
    try {
      EXPECT_LE(values(read_mat(path(), "ff")).size(), whole.size());
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("[read] " + path().string()), 0u) << error.what();
    }
  }
}

TEST_F(MatTest, KeepsColumnsTogetherAndEveryDimension) {
  MatMatrix m = read(Matrix{.dims = {560, 300}, .data = ramp_text(560 * 300)}.bytes());
  EXPECT_EQ(m.shape, (Shape{560, 300}));
  EXPECT_EQ(m.u8, ramp_bytes(560 * 300));
  m = read(Matrix{.dims = {2, 3, 4, 5}, .data = ramp_text(120)}.bytes());
  EXPECT_EQ(m.shape, (Shape{2, 3, 4, 5}));
  EXPECT_EQ(m.u8, ramp_bytes(120));
}

TEST_F(MatTest, LogicalMatricesAreZerosAndOnes) {
  const MatMatrix m =
      read(Matrix{.dims = {1, 4}, .data = std::string("\0\1\1\7", 4), .flags = kLogical}.bytes());
  EXPECT_EQ(m.class_name, "logical");
  EXPECT_FALSE(m.bytes);
  EXPECT_EQ(m.f64, (Numbers{0, 1, 1, 1}));
}

TEST_F(MatTest, IntegersBeyond53BitsAreRounded) {
  const std::vector<std::int64_t> large = {INT64_MAX, INT64_MIN, (INT64_C(1) << 53) + 1};
  EXPECT_EQ(read(Matrix{.kind = i64, .type = int64, .dims = {3, 1}, .data = numbers(large)}.bytes()).f64,
            (Numbers{9223372036854775808.0, -9223372036854775808.0, 9007199254740992.0}));
}

TEST_F(MatTest, NumbersThatTheClassCannotHoldAreDamage) {
  rejects(Matrix{.type = int8, .dims = {1, 2}, .data = "\x01\xFE"}.bytes(),
          {"damaged: 'ff' has the class uint8, but a value of -2"});
  rejects(Matrix{.kind = i16, .type = real, .dims = {1, 2}, .data = numbers<double>({1, 1.5})}.bytes(),
          {"the class int16, but a value of 1.5"});
  rejects(Matrix{.type = real, .dims = {1, 2}, .data = numbers<double>({1, NAN})}.bytes(),
          {"a value of nan"});
}

// ---- which variable ----

TEST_F(MatTest, TheOnlyMatrixNeedsNoName) {
  const std::string scalar =
      Matrix{.name = "n", .kind = f64, .type = uint8, .dims = {1, 1}, .data = "\x07"}.bytes();
  const std::string label =
      Matrix{.name = "label", .kind = text, .dims = {1, 35}, .data = ramp_text(35)}.bytes();
  const std::string empty = Matrix{.name = "none", .kind = f64, .dims = {0, 0}}.bytes();
  const MatMatrix m = read(scalar + label + faces().bytes() + empty, "");
  EXPECT_EQ(m.name, "ff");
  EXPECT_EQ(m.u8, ramp_bytes(35));
}

TEST_F(MatTest, SeveralMatricesNeedAName) {
  const std::string both =
      faces().bytes() +
      compressed(Matrix{.name = "X", .kind = f64, .dims = {3, 4}, .data = ramp_text(12)}.bytes());
  rejects(both,
          {"expected the name of a matrix (--variable NAME), because there are several: 'ff' (uint8, 5 x 7), "
           "'X' (double, 3 x 4)"},
          "");
  EXPECT_EQ(read_mat(path(), "X").shape, (Shape{3, 4}));
  rejects(both, {"expected a variable 'Y', got 'ff' (uint8, 5 x 7), 'X' (double, 3 x 4)"}, "Y");
}

TEST_F(MatTest, WhatIsNoRealFullMatrixIsRefusedByName) {
  const auto refuses = [&](const Matrix& m, const std::string& kind) {
    for (const std::string& element : {m.bytes(), compressed(m.bytes())}) {
      rejects(element, {"expected 'ff' to be a full matrix of real numbers, got " + kind});
      rejects(element, {"expected a matrix of real numbers, got 'ff' (" + kind}, "");
    }
  };
  refuses({.kind = cell, .data = ramp_text(35)}, "cell");
  refuses({.kind = structure, .data = ramp_text(35)}, "struct");
  refuses({.kind = object, .data = ramp_text(35)}, "object");
  refuses({.kind = text, .data = ramp_text(35)}, "char");
  refuses({.kind = sparse, .data = ramp_text(35)}, "sparse");
  refuses({.kind = sparse, .data = ramp_text(35), .flags = kLogical}, "sparse logical");
  refuses({.kind = 16, .data = ramp_text(35)}, "function");
  refuses({.kind = 99, .data = ramp_text(35)}, "unknown class");
  refuses({.data = ramp_text(35), .flags = kComplex}, "complex uint8");
  refuses({.kind = f64, .type = real, .data = ramp_text(280), .flags = kComplex}, "complex double");
  rejects(Matrix{.dims = {5, 0}}.bytes(), {"expected a matrix with elements, got 'ff' (uint8, 5 x 0)"});
}

// Objects such as tables have no sizes, and their content follows as a nameless matrix of bytes.
TEST_F(MatTest, ObjectsAreNoMatrices) {
  const std::string content =
      part(uint32, word(17) + word(0)) + part(int8, "people") + part(int8, "MCOS") + part(int8, "table");
  const std::string table = word(14) + word(static_cast<std::uint32_t>(content.size())) + content;
  const std::string nameless = Matrix{.name = "", .dims = {1, 400}, .data = ramp_text(400)}.bytes();
  rejects(table + nameless, {"expected a matrix of real numbers, got 'people' (object)"}, "");
  EXPECT_EQ(read(table + faces().bytes() + nameless, "").u8, ramp_bytes(35));
}

// ---- damage ----

// Returns the element of a 5 x 7 uint8 matrix ff with sizes that may be false.
struct Sizes {
  std::uint32_t rows = 5, columns = 7, data = 35, element = 96;
};
std::string matrix(const Sizes& s = {}) {
  return word(14) + word(s.element) + word(6) + word(8) + word(9) + word(0) + word(5) + word(8) +
         word(s.rows) + word(s.columns) + word(1) + word(2) + std::string("ff\0\0\0\0\0\0", 8) + word(2) +
         word(s.data) + ramp_text(35) + std::string(5, '\0');
}

TEST_F(MatTest, FalseSizesAreErrors) {
  for (const bool packed : {false, true}) {
    const auto made = [&](const Sizes& s) { return packed ? compressed(matrix(s)) : matrix(s); };
    EXPECT_EQ(read(made({})).u8, ramp_bytes(35));
    rejects(made({.columns = 700}), {"damaged: expected 3500 bytes of data, as its sizes say, got 35"});
    rejects(made({.rows = 1u << 30, .columns = 1u << 30}), {"damaged", "got 35"});
    rejects(made({.rows = 1u << 31}), {"damaged: a variable has a size of -2147483648"});
    rejects(made({.columns = 9}), {"damaged: expected 45 bytes", "got 35"});
    rejects(made({.data = 20}), {"damaged: expected 35 bytes", "got 20"});
    rejects(made({.columns = 9, .data = 45}), {"damaged", "45 bytes, more than remain"});
    rejects(made({.data = 3000}), {"damaged", "3000 bytes, more than remain"});
  }
  rejects(matrix({.element = 97}), {"truncated: the variable at byte 128 has 97 bytes, 96 remain"});
  rejects(compressed(matrix({.element = 1000})), {"damaged: expected a variable of 1008 bytes, got 104"});
  rejects(compressed(matrix({.element = 90})), {"damaged: expected a variable of 98 bytes, got at least 99"});
  rejects(compressed(matrix({.element = 0xFFFFFFF0})),
          {"bytes of compressed data cannot hold a variable of 4294967288 bytes"});
  rejects(compressed(matrix(), 1), {"truncated"});
  rejects(compressed("no matrix"), {"damaged: no variable in 9 bytes"});
  rejects(word(9) + word(8) + word(0) + word(0), {"no variable begins at byte 128"});
  rejects(matrix() + "odd", {"truncated: expected a variable, got only 3 bytes at offset 232"});
  const std::vector<std::int32_t> huge(8, 1 << 30);
  rejects(Matrix{.dims = huge, .data = ramp_text(35)}.bytes(), {"damaged: the sizes of 'ff'", "overflow"});
  rejects(Matrix{.type = 8, .data = ramp_text(35)}.bytes(),
          {"damaged: 'ff' stores numbers of the unknown type 8"});
  rejects(Matrix{.dims = {35}, .data = ramp_text(35)}.bytes(), {"damaged: a variable has sizes of 4 bytes"});
  std::string flags = matrix();
  flags.replace(12, 4, word(4));
  rejects(flags, {"damaged: a variable has flags of 4 bytes"});
}

// A file of 50 KB expands to 40 MB. The reader stops decompressing at the declared size.
TEST_F(MatTest, CompressedDataStopAtTheDeclaredSize) {
  rejects(compressed(matrix() + std::string(40'000'000, '\0')),
          {"damaged: expected a variable of 104 bytes, got at least 105"});
}

TEST_F(MatTest, DamagedCompressedData) {
  const std::string whole = compressed(matrix());
  std::string wrong_sum = whole;
  wrong_sum.back() = static_cast<char>(wrong_sum.back() ^ 1);
  rejects(wrong_sum, {"damaged: compressed data: incorrect data check"});
  // The header has the correct size of this half.
  const std::string half = whole.substr(8, whole.size() / 2);
  rejects(word(15) + word(static_cast<std::uint32_t>(half.size())) + half,
          {"damaged: compressed data: unexpected end"});
  rejects(word(15) + word(0), {"damaged: compressed data"});
}

TEST_F(MatTest, MissingAndForeignFiles) {
  expect_error({"No such file"});
  std::filesystem::create_directory(path());
  expect_error({"directory"});
  std::filesystem::remove(path());
  put("");
  expect_error({"empty"});
  for (const char* text : {"x", "PK\3\4 a zip, say", "<!DOCTYPE html>", "\x89PNG\r\n\x1a\n and so on"}) {
    put(text + std::string(300, 'x'));
    expect_error({"not a MATLAB file"});
  }
  put("MATLAB 5.0 MAT-file");
  expect_error({"truncated: expected a header of 128 bytes, got 19"});
  std::string future = header() + matrix();
  future[125] = 9;
  put(future);
  expect_error({"version 5 to 7", "0x0900"});
}

TEST_F(MatTest, ForeignVariableNamesStayOnOneLine) {
  std::string odd = matrix();
  odd.replace(odd.find("ff"), 2, "f\n");
  rejects(odd, {"got 'f?'"});
  std::string many;
  for (int i = 0; i < 20; ++i) many += odd;
  rejects(many, {"'f?' (uint8, 5 x 7), ..."});
}

TEST_F(MatTest, ErrorsOfOtherVersionsSuggestConversions) {
  std::string version73 = "MATLAB 7.3 MAT-file, Platform: GLNXA64";
  version73.resize(124, ' ');
  for (const std::string& start : {version73 + std::string("\0\2IM", 4), std::string(512, '\0')}) {
    put(start + "\x89HDF\r\n\x1a\n");
    expect_error(
        {"MATLAB 7.3 (HDF5) file", "save('x.mat', '-v7')", "h5py", "numpy.save", "scipy.io.savemat"});
  }
  put("\x89HDF\r\n\x1a\n");
  expect_error({"MATLAB 7.3 (HDF5) file"});
  // Version 4: type 0 (little-endian doubles), rows, columns, no imaginary part, length of the name.
  for (const bool big : {false, true}) {
    put(word(big ? 1000 : 0, big) + word(2, big) + word(2, big) + word(0, big) + word(3, big) +
        std::string("ff\0", 3) + std::string(32, '\0'));
    expect_error({"MATLAB 4 file", "save('x.mat', '-v7')", "scipy.io.loadmat", "numpy.save"});
  }
}

}  // namespace
}  // namespace gpuvae::io
