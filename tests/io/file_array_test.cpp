// Tests of arrays that stay in their file: the same elements as when the file is read, and damaged or changed
// files.
#include "src/io/file_array.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::expect_contains;
using test::TemporaryFolder;
using test::write_byte_npy;

std::vector<double> values_of(const io::NpyArray& array) {
  std::vector<double> values;
  array.visit([&](const auto& elements) { values.assign(elements.begin(), elements.end()); });
  return values;
}

// Bytes that are 12 finite elements of every type and byte order.
std::string stored(std::size_t element_size) {
  std::string bytes;
  for (std::size_t i = 0; i < 12 * element_size; ++i) bytes.push_back(static_cast<char>(1 + i % 47));
  return bytes;
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST(FileArray, EveryTypeHasTheElementsThatReadNpyReturns) {
  const TemporaryFolder folder;
  for (const auto& [type, size] : std::vector<std::pair<std::string, std::size_t>>{{"|u1", 1},
                                                                                   {"|b1", 1},
                                                                                   {"|i1", 1},
                                                                                   {"<u2", 2},
                                                                                   {">i2", 2},
                                                                                   {"<f2", 2},
                                                                                   {"<u4", 4},
                                                                                   {">i4", 4},
                                                                                   {"<f4", 4},
                                                                                   {">f4", 4},
                                                                                   {"<i8", 8},
                                                                                   {">u8", 8},
                                                                                   {"<f8", 8},
                                                                                   {">f8", 8}}) {
    SCOPED_TRACE(type);
    const auto path = folder / "x.npy";
    write_byte_npy(path, "(4, 3)", stored(size), type);
    const io::NpyArray all = io::read_npy(path);
    const auto file = io::open_npy(path);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->layout().shape, (std::vector<std::int64_t>{4, 3}));
    EXPECT_EQ(file->layout().bytes, all.bytes);
    EXPECT_EQ(file->layout().integers, all.integers);
    EXPECT_EQ(file->stored_bytes(), 12 * size);
    io::NpyArray part;
    file->append(0, 5, part);
    file->append(5, 7, part);
    EXPECT_EQ(part.u8.size(), all.u8.size());
    EXPECT_EQ(part.f32.size(), all.f32.size());
    EXPECT_EQ(values_of(part), values_of(all));
    file->prefetch(2, 10);
    static_cast<void>(file->is_cached(2));
    file->check_unchanged();
  }
}

TEST(FileArray, FilesThatMustBeReadAsAWholeGiveNull) {
  const TemporaryFolder folder;
  std::string header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }";
  header.resize(118, ' ');
  write_bytes(folder / "f.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                                    stored(1).substr(0, 12) + std::string(4, '\0'));
  EXPECT_FALSE(io::open_npy(folder / "f.npy"));
  EXPECT_EQ(io::read_npy(folder / "f.npy").f32.size(), 4u);
  write_byte_npy(folder / "x.npy", "(4, 3)", stored(1));
  std::ifstream in(folder / "x.npy", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  gzFile gz = gzopen((folder / "x.npy.gz").c_str(), "wb");
  gzwrite(gz, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(gz);
  EXPECT_FALSE(io::open_npy(folder / "x.npy.gz"));
}

TEST(FileArray, ImagesOfAnIdxFile) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> pixels(2 * 3 * 5);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(7 * i);
  io::write_idx_images(folder / "images", {2, 3, 5}, pixels);
  const auto file = io::open_idx_images(folder / "images");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->layout().shape, (std::vector<std::int64_t>{2, 3, 5}));
  io::NpyArray all;
  file->append(0, pixels.size(), all);
  EXPECT_EQ(all.u8, pixels);
  std::filesystem::resize_file(folder / "images", 45);
  expect_contains(error_of([&] { static_cast<void>(io::open_idx_images(folder / "images")); }),
                  {"[read] ", "images", "expected 30 bytes of data", "got 29", "truncated"});
}

TEST(FileArray, WrongSizesAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  for (const auto& [shape, part] : std::vector<std::pair<std::string, std::string>>{
           {"(4, 4)", "expected 16 bytes of data, as its header says, got 12: the file is truncated"},
           {"(4, 2)", "expected 8 bytes of data, as its header says, got 12"},
           {"(4294967296, 4294967296)", "overflows"}}) {
    write_byte_npy(path, shape, stored(1));
    expect_contains(error_of([&] { static_cast<void>(io::open_npy(path)); }),
                    {"[read] " + path.string(), part});
  }
}

TEST(FileArray, DataBeyondTheMemoryAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy.gz";
  write_bytes(path, "x");
  io::check_fits_memory(path, 1 << 20, "");
  // The file is too small for this claim, which is an error of the file and not of its size.
  io::check_fits_memory(path, std::uint64_t{1} << 45, "");
  std::filesystem::resize_file(path, std::uint64_t{1} << 36);  // sparse
  expect_contains(
      error_of([&] { io::check_fits_memory(path, std::uint64_t{1} << 45, "uncompress the file"); }),
      {"[read] " + path.string(), "got 32768.0 GiB: uncompress the file"});
}

TEST(FileArray, FilesThatChangeAfterTheyWereOpenedGiveErrors) {
  const TemporaryFolder folder;
  const auto path = folder / "x.npy";
  write_byte_npy(path, "(4, 3)", stored(1));
  const auto cut = io::open_npy(path);
  std::filesystem::resize_file(path, 133);
  io::NpyArray part;
  cut->append(0, 5, part);
  EXPECT_EQ(part.u8.size(), 5u);
  expect_contains(error_of([&] { cut->append(0, 6, part); }),
                  {"[read] " + path.string(), "expected 140 bytes", "got only 133"});
  expect_contains(error_of([&] { cut->check_unchanged(); }), {path.string(), "got a changed one"});

  write_byte_npy(path, "(4, 3)", stored(1));
  const auto written = io::open_npy(path);
  written->check_unchanged();
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  expect_contains(error_of([&] { written->check_unchanged(); }), {path.string(), "got a changed one"});
  // A file that is replaced instead of changed stays readable as it was.
  write_byte_npy(path, "(4, 3)", stored(1));
  const auto replaced = io::open_npy(path);
  write_byte_npy(folder / "y.npy", "(4, 3)", std::string(12, '\x05'));
  std::filesystem::rename(folder / "y.npy", path);
  part.clear();
  replaced->append(1, 1, part);
  EXPECT_EQ(part.u8, (std::vector<std::uint8_t>{2}));
  replaced->check_unchanged();
}

}  // namespace
}  // namespace gpuvae
