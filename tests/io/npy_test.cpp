#include "src/io/npy.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <limits>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;
using namespace std::string_literals;

// Builds an NPY file: magic, version, the header's length, the header padded to a multiple of 64 bytes, the
// data.
std::string npy(const std::string& header, const std::string& data, int version = 1) {
  std::string bytes = "\x93NUMPY"s + static_cast<char>(version) + '\0';
  const std::size_t start = version == 1 ? 10 : 12, size = (start + header.size() + 64) / 64 * 64 - start;
  for (std::size_t i = 0; i < start - 8; ++i) bytes += static_cast<char>(size >> 8 * i & 255);
  return bytes + header + std::string(size - header.size() - 1, ' ') + '\n' + data;
}

std::string header_of(const std::string& dtype, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + dtype + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

NpyArray read_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "x.npy", bytes);
  return read_npy(folder / "x.npy");
}

// Returns the error without the prefix "[read] path: ", with which every error must begin.
std::string error_of_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::string path = (folder / "x.npy").string(), prefix = "[read] " + path + ": ";
  write_file(path, bytes);
  const std::string message = error_of([&] { read_npy(path); });
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.size() < prefix.size() ? message : message.substr(prefix.size());
}
std::string error_of_header(const std::string& header) { return error_of_bytes(npy(header, "12345678")); }

void expect_contains(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
}

using Shape = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// Two elements of each type in little-endian order; the test reverses them for big-endian order.
struct TypeCase {
  const char* code;
  std::string first, second;
  Floats values;
};
const TypeCase kTypes[] = {
    {"i1", "\xFF", "\x7F", {-1, 127}},
    {"u2", "\x01\x02"s, "\xFF\xFF"s, {513, 65535}},
    {"i2", "\x01\x02"s, "\xFE\xFF"s, {513, -2}},
    {"u4", "\x01\x00\x01\x00"s, "\x00\x00\x00\x80"s, {65537, 2147483648.0f}},
    {"i4", "\x01\x00\x01\x00"s, "\xFD\xFF\xFF\xFF"s, {65537, -3}},
    {"u8", "\x02\x01\x00\x00\x00\x00\x00\x00"s, "\x00\x00\x00\x00\x00\x00\x00\x80"s, {258, 0x1p63f}},
    {"i8", "\x02\x01\x00\x00\x00\x00\x00\x00"s, "\xFC\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, {258, -4}},
    {"f2", "\x00\x3E"s, "\xFF\xFB"s, {1.5f, -65504}},
    {"f4", "\x00\x00\x20\x40"s, "\xDB\x0F\x49\xC0"s, {2.5f, -3.14159274f}},
    {"f8", "\x00\x00\x00\x00\x00\x00\x04\x40"s, "\x18\x2D\x44\x54\xFB\x21\x09\xC0"s, {2.5f, -3.14159274f}}};

TEST(Npy, ReadsEveryTypeInBothByteOrders) {
  for (const TypeCase& type : kTypes) {
    SCOPED_TRACE(type.code);
    const auto big = [](const std::string& s) { return std::string(s.rbegin(), s.rend()); };
    const NpyArray little = read_bytes(npy(header_of("<"s + type.code, "(2,)"), type.first + type.second));
    EXPECT_EQ(little.shape, Shape{2});
    EXPECT_FALSE(little.bytes);
    EXPECT_EQ(little.to_f32(), type.values);
    EXPECT_EQ(
        read_bytes(npy(header_of(">"s + type.code, "(2,)"), big(type.first) + big(type.second))).to_f32(),
        type.values);
  }
}

TEST(Npy, BytesStayBytesAndBooleansBecomeFloats) {
  for (const char* dtype : {"|u1", "<u1"}) {
    const NpyArray bytes = read_bytes(npy(header_of(dtype, "(3, 1)"), "\x00\x7F\xFF"s));
    EXPECT_TRUE(bytes.bytes);
    EXPECT_EQ(bytes.u8, (std::vector<std::uint8_t>{0, 127, 255}));
    EXPECT_TRUE(bytes.f32.empty());
  }
  const NpyArray booleans = read_bytes(npy(header_of("|b1", "(3,)"), "\x00\x01\x02"s));
  EXPECT_FALSE(booleans.bytes);
  EXPECT_EQ(booleans.to_f32(), (Floats{0, 1, 1}));
}

TEST(Npy, HalfPrecisionNumbers) {
  // The numbers are 2^-14, 2^-24 (the smallest), -0, infinity, NaN and 1 - 2^-11.
  const Floats halves =
      read_bytes(npy(header_of("<f2", "(6,)"), "\x00\x04\x01\x00\x00\x80\x00\x7C\x01\x7C\xFF\x3B"s)).to_f32();
  EXPECT_EQ(halves[0], 0x1p-14f);
  EXPECT_EQ(halves[1], 0x1p-24f);
  EXPECT_TRUE(halves[2] == 0 && std::signbit(halves[2]));
  EXPECT_EQ(halves[3], INFINITY);
  EXPECT_TRUE(std::isnan(halves[4]));
  EXPECT_EQ(halves[5], 0.99951171875f);
}

TEST(Npy, NonFiniteValuesAreRead) {
  const Floats values =
      read_bytes(npy(header_of("<f4", "(2,)"), "\x00\x00\xC0\x7F\x00\x00\x80\xFF"s)).to_f32();
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], -INFINITY);
}

TEST(Npy, FortranOrderBecomesRowMajor) {
  // Element [i, j, k] of (2, 3, 2) is 100 i + 10 j + k; i varies fastest in the file.
  std::string file;
  Floats floats;
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) file += static_cast<char>(100 * i + 10 * j + k);
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 2; ++k) expected.push_back(static_cast<std::uint8_t>(100 * i + 10 * j + k));
  EXPECT_EQ(read_bytes(npy(header_of("|u1", "(2, 3, 2)", true), file)).u8, expected);
  const NpyArray signed_bytes = read_bytes(npy(header_of("|i1", "(2, 3, 2)", true), file));
  EXPECT_EQ(signed_bytes.to_f32(), Floats(expected.begin(), expected.end()));
  EXPECT_EQ(signed_bytes.shape, (Shape{2, 3, 2}));
  EXPECT_EQ(read_bytes(npy(header_of("|i1", "(3,)", true), "\x01\x02\x03")).to_f32(), (Floats{1, 2, 3}));
}

TEST(Npy, ScalarsAndEmptyArrays) {
  const NpyArray scalar = read_bytes(npy(header_of("|i1", "()"), "\x05"));
  EXPECT_TRUE(scalar.shape.empty());
  EXPECT_EQ(scalar.to_f32(), Floats{5});
  const NpyArray empty = read_bytes(npy(header_of("<f4", "(0, 3)", true), ""));
  EXPECT_EQ(empty.shape, (Shape{0, 3}));
  EXPECT_TRUE(empty.f32.empty());
}

TEST(Npy, HeadersOfOtherVersionsAndWriters) {
  for (const int version : {2, 3})
    EXPECT_EQ(read_bytes(npy(header_of("|i1", "(2,)"), "\x01\x02", version)).to_f32(), (Floats{1, 2}));
  for (const char* header : {"{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"|i1\"}",
                             " { 'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '|i1' } ",
                             "{'descr': '|i1', 'fortran_order': False, 'shape': (2L, 1L)}"})
    EXPECT_EQ(read_bytes(npy(header, "\x01\x02")).to_f32(), (Floats{1, 2})) << header;
}

TEST(Npy, ReadsMoreThanAChunkAndGzip) {
  std::string data;
  Floats expected;
  for (int i = 0; i < 700'001; ++i) {
    expected.push_back(static_cast<float>(i % 30'000));
    data += static_cast<char>(i % 30'000 & 255);
    data += static_cast<char>(i % 30'000 >> 8);
  }
  const std::string bytes = npy(header_of("<i2", "(700001,)"), data);
  EXPECT_EQ(read_bytes(bytes).to_f32(), expected);
  const TemporaryFolder folder;
  const gzFile out = gzopen((folder / "x.npy.gz").c_str(), "wb1");
  gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
  EXPECT_EQ(read_npy(folder / "x.npy.gz").to_f32(), expected);
}

TEST(Npy, ForeignFilesAndVersions) {
  for (const std::string& bytes : {""s, "\x93NUM"s, "PK\x03\x04 and more"s})
    EXPECT_EQ(error_of_bytes(bytes), "not an NPY file: it does not begin with \\x93NUMPY");
  EXPECT_EQ(error_of_bytes(npy(header_of("|u1", "(1,)"), "a", 4)),
            "expected NPY version 1.0, 2.0 or 3.0, got 4.0");
  EXPECT_EQ(error_of_bytes("\x93NUMPY\x01\x01\x02\x00{}"s), "expected NPY version 1.0, 2.0 or 3.0, got 1.1");
  const TemporaryFolder folder;
  expect_contains(error_of([&] { read_npy(folder / "absent.npy"); }),
                  {"absent.npy: expected a file, got none"});
}

TEST(Npy, TruncatedHeaders) {
  const std::string whole = npy(header_of("|u1", "(1,)"), "a");
  EXPECT_EQ(error_of_bytes(whole.substr(0, 7)), "truncated header: the file ends after 7 bytes");
  EXPECT_EQ(error_of_bytes(whole.substr(0, 9)), "truncated header: the file ends after 9 bytes");
  EXPECT_EQ(error_of_bytes(whole.substr(0, 30)), "truncated header: expected 118 bytes, got 20");
  EXPECT_EQ(error_of_bytes("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF{"s),
            "header of 4294967295 bytes, expected at most 1048576");
}

TEST(Npy, MalformedHeaders) {
  const std::string what = "header is not a dictionary of descr, fortran_order and shape: ";
  const auto expect_bad = [&](const std::string& header, const std::string& why) {
    EXPECT_EQ(error_of_header(header).substr(0, (what + why).size()), what + why) << header;
  };
  expect_bad("", "expected '{'");
  expect_bad("[]", "expected '{'");
  expect_bad("{'descr': '<f4', 'fortran_order': False}", "key 'shape' is missing");
  expect_bad("{'descr': '<f4', 'shape': (2,)}", "key 'fortran_order' is missing");
  expect_bad("{'shape': (2,), 'fortran_order': False}", "key 'descr' is missing");
  expect_bad("{'descr': '<f4', 'descr': '<f4'}", "key 'descr' is unknown or a duplicate");
  expect_bad("{'order': 'C'}", "key 'order' is unknown or a duplicate");
  expect_bad("{descr: '<f4'}", "expected a string");
  expect_bad("{'descr': '<f4}", "a string has no end");
  expect_bad("{'descr': '\\x3cf4'}", "a string with escapes");
  expect_bad("{'descr' '<f4'}", "expected ':'");
  expect_bad("{'fortran_order': 0}", "expected True or False");
  expect_bad("{'shape': 2}", "expected '('");
  expect_bad("{'shape': (2)}", "expected ','");
  expect_bad("{'shape': (2 3)}", "expected ','");
  expect_bad("{'shape': (2, 3 4)}", "expected ')'");
  expect_bad("{'shape': (-1,)}", "expected an extent of 0 or more");
  expect_bad("{'shape': (2, None)}", "expected an extent of 0 or more");
  expect_bad("{'shape': (2,", "expected an extent of 0 or more");
  expect_bad("{'descr': '<f4' 'shape': (2,)}", "expected '}'");
  expect_bad(header_of("<f4", "(2,)") + " junk", "text after the dictionary");
}

TEST(Npy, NonNumericTypes) {
  EXPECT_EQ(error_of_header(header_of("|O", "(1,)")),
            "holds Python objects (dtype |O): save numbers instead");
  EXPECT_EQ(error_of_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"),
            "holds structured records: save one array of numbers per file instead");
  const std::string expected = "expected booleans, integers of 1 to 8 bytes or floats of 2 to 8 bytes, got ";
  const auto expect_bad = [&](const char* dtype, const char* kind) {
    EXPECT_EQ(error_of_header(header_of(dtype, "(1,)")), expected + kind + " (dtype " + dtype + ")");
  };
  expect_bad("<c8", "complex numbers");
  expect_bad("<U3", "strings");
  expect_bad("|S8", "strings");
  expect_bad("|V8", "structured records");
  expect_bad("<f16", "other elements");
  expect_bad("<M8[ns]", "other elements");
  expect_bad("|f4", "other elements");  // the byte order is missing
  expect_bad("f4", "other elements");
  expect_bad("", "other elements");
}

TEST(Npy, DataMustFillTheShape) {
  EXPECT_EQ(error_of_bytes(npy(header_of("<f4", "(3, 4)"), std::string(40, 'x'))),
            "expected 48 bytes of data (<f4 (3, 4)), got 40: the file is truncated");
  EXPECT_EQ(error_of_bytes(npy(header_of("|u1", "(3,)"), "abcde")),
            "expected 3 bytes of data (|u1 (3,)), got more");
  EXPECT_EQ(error_of_bytes(npy(header_of("<f8", "(0,)"), "x")),
            "expected 0 bytes of data (<f8 (0,)), got more");
}

TEST(Npy, HugeShapesNeitherOverflowNorAllocate) {
  EXPECT_EQ(error_of_bytes(npy(header_of("<f8", "(2305843009213693952, 1)"), "")),  // 2^61
            "shape (2305843009213693952, 1) overflows");
  EXPECT_EQ(error_of_bytes(npy(header_of("|u1", "(4294967296, 4294967296)"), "")),
            "shape (4294967296, 4294967296) overflows");
  expect_contains(error_of_bytes(npy(header_of("|u1", "(99999999999999999999,)"), "")),
                  {"shape overflows", "99999999999999999999"});
  expect_contains(error_of_bytes(npy(header_of("<f4", "(1152921504606846976,)"), "1234")),  // 4 EiB claimed
                  {"expected 4611686018427387904 bytes", "got 4:"});
}

TEST(Npy, WritesTheSameBytesAsNumpy) {
  const TemporaryFolder folder;
  const std::int64_t shape[] = {3, 2};
  const Floats values{1, -2, 0.5f, 1e30f, 3, 4};
  write_npy(folder / "x.npy", shape, values);
  EXPECT_EQ(read_file(folder / "x.npy"),
            npy(header_of("<f4", "(3, 2)"), std::string(reinterpret_cast<const char*>(values.data()), 24)));
  const NpyArray back = read_npy(folder / "x.npy");
  EXPECT_EQ(back.shape, (Shape{3, 2}));
  EXPECT_EQ(back.to_f32(), values);
}

TEST(Npy, WritesDoubles) {
  const TemporaryFolder folder;
  const std::int64_t shape[] = {2};
  const std::vector<double> values{1700000001, 0.1};
  write_npy(folder / "x.npy", shape, values);
  EXPECT_EQ(read_file(folder / "x.npy"),
            npy(header_of("<f8", "(2,)"), std::string(reinterpret_cast<const char*>(values.data()), 16)));
  EXPECT_EQ(read_npy(folder / "x.npy").f64, values);
}

TEST(Npy, WritesOneDimensionAndNone) {
  const TemporaryFolder folder;
  const std::int64_t one[] = {2};
  write_npy(folder / "one.npy", one, Floats{1, 2});
  EXPECT_NE(read_file(folder / "one.npy").find("'shape': (2,), }"), std::string::npos);
  EXPECT_EQ(read_npy(folder / "one.npy").shape, Shape{2});
  write_npy(folder / "none.npy", {}, Floats{7});
  EXPECT_EQ(read_npy(folder / "none.npy").to_f32(), Floats{7});
  EXPECT_EQ(read_file(folder / "none.npy").size(), 128u + 4u);
}

TEST(Npy, RefusesValuesThatDoNotFillTheShape) {
  const TemporaryFolder folder;
  const std::int64_t shape[] = {3, 2}, negative[] = {-1, -5};
  const Floats values(5);
  expect_contains(error_of([&] { write_npy(folder / "x.npy", shape, values); }),
                  {"[write] ", "x.npy: 5 values do not match shape (3, 2)"});
  expect_contains(error_of([&] { write_npy(folder / "x.npy", negative, values); }), {"shape (-1, -5)"});
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace gpuvae::io
