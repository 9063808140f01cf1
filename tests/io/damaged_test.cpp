// Damaged and hostile files of several formats: compressed data beyond the declared size, lines and tables
// without end, and text that could control a terminal. tests/fuzz searches for further ones.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "src/io/file.h"
#include "src/io/idx.h"
#include "src/io/mat.h"
#include "src/io/npy.h"
#include "src/io/printable.h"
#include "src/io/safetensors.h"
#include "src/io/table.h"
#include "tests/io/mat_bytes.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;
using namespace std::string_literals;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// Returns the error of reading a file, without operation and path.
template <class Read>
std::string reason(const std::string& bytes, Read&& read) {
  const TemporaryFolder folder;
  write_file(folder / "x", bytes);
  const std::string message = error_of([&] { read(folder / "x"); });
  const std::string path = (folder / "x").string() + ": ";
  const std::size_t start = message.find(path);
  return start == std::string::npos ? message : message.substr(start + path.size());
}

// A compressed file that begins as declared and goes on with many more bytes. Its end is cut off, so a reader
// that unpacks the rest reports damaged data.
std::string bomb(const std::string& declared) {
  const std::string packed = gzipped(declared + std::string(8 * kMebibyte, '\0'));
  return packed.substr(0, packed.size() - 100);
}

TEST(Damaged, ReadersOfGzipStopAtTheDeclaredSize) {
  const auto read_images = [](const auto& path) { read_idx_images(path); };
  EXPECT_EQ(reason(bomb("\0\0\x08\x03\0\0\0\x01\0\0\0\x01\0\0\0\x02xy"s), read_images),
            "expected the end of the file after 2 bytes of data (1 x 1 x 2), got trailing bytes");
  const auto read_labels = [](const auto& path) { read_idx_labels(path); };
  EXPECT_EQ(reason(bomb("\0\0\x08\x01\0\0\0\x02xy"s), read_labels),
            "expected the end of the file after 2 bytes of data (2), got trailing bytes");
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
  header.resize(118, ' ');
  const auto read_array = [](const auto& path) { static_cast<void>(read_npy(path)); };
  EXPECT_EQ(reason(bomb("\x93NUMPY\x01\x00\x76\x00"s + header + "abc"), read_array),
            "expected 3 bytes of data (|u1 (3,)), got more");
}

TEST(Damaged, ACompressedMatrixStopsAtTheDeclaredSize) {
  const std::string element = mat_bytes::Matrix{.data = std::string(35, 'x')}.bytes();
  const std::string packed = mat_bytes::compressed(element + std::string(8 * kMebibyte, '\0'));
  const auto read = [](const auto& path) { static_cast<void>(read_mat(path)); };
  EXPECT_EQ(reason(mat_bytes::header() + packed, read),
            "damaged: expected a variable of 96 bytes, got at least 97");
}

TEST(Damaged, LinesAndTablesHaveAnEnd) {
  const auto read = [](const auto& path) { static_cast<void>(read_table(path)); };
  EXPECT_EQ(reason(gzipped("a,b\n1,2\n" + std::string(80 * kMebibyte, '7')), read),
            "line 3: longer than 67108864 bytes: not a table");
  const std::string wide = std::string(4 * kMebibyte, ',') + "1";
  EXPECT_EQ(reason(gzipped(wide + ",\n"), read), "line 1: expected at most 4194304 columns, got more");
  EXPECT_EQ(reason(gzipped("a,b\n1,2\n\"3\"," + wide + "\n"), read),
            "line 3: expected at most 4194304 columns, got more");
}

TEST(Damaged, ManyEqualNamesTakeNoQuadraticTime) {
  const TemporaryFolder folder;
  constexpr int kColumns = 20'000;
  std::string names = "a", row = "1";
  for (int i = 1; i < kColumns; ++i) {
    names += ",a";
    row += ",2";
  }
  write_file(folder / "t.csv", names + "\n" + row + "\n");
  const Table table = read_table(folder / "t.csv");
  ASSERT_EQ(table.columns.size(), std::size_t{kColumns});
  EXPECT_EQ(table.columns[0], "a");
  EXPECT_EQ(table.columns[2], "a.2");
  EXPECT_EQ(table.columns[kColumns - 1], "a.19999");
  const Table by_name = read_table(folder / "t.csv", {.columns = table.columns});
  EXPECT_EQ(by_name.values, table.values);
}

TEST(Damaged, MessagesHaveNoControlCharacters) {
  EXPECT_EQ(printable("a\nb\x1B[31m\x7F\xC3\xA9"), "a?b?[31m?\xC3\xA9");
  const auto model = [](const std::string& header) {
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    return bytes + header;
  };
  const auto read = [](const auto& path) { read_safetensors(path); };
  EXPECT_EQ(reason(model(R"({"a\n\u001b":1})"), read),
            "tensor 'a?"
            "?': its header entry is not an object");
  EXPECT_EQ(reason(model(R"({"a\n":1,"a\n":2})"), read), "duplicate name 'a?' in the header");
  EXPECT_EQ(reason(model(R"({"__metadata__":{"k\t":1}})"), read), "__metadata__ 'k?' is not a string");
  const auto read_columns = [](const auto& path) { static_cast<void>(read_table(path, {.columns = {"c"}})); };
  EXPECT_EQ(reason("a\x1B[2J,b\n1,2\n", read_columns),
            "expected column 'c' among the 2 columns, got a?[2J, b");
}

TEST(Damaged, AHeaderOfTheLargestIntegers) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", "9223372036854775807,9223372036854775807,1\n5,6,7\n8,9,7\n");
  const Table table = read_table(folder / "t.csv");
  EXPECT_FALSE(table.has_names);
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.values[0], 9223372036854775808.0);
}

}  // namespace
}  // namespace gpuvae::io
