#include "src/io/mat.h"

#include <gtest/gtest.h>
#include <matio.h>
#include <zlib.h>

#include <fstream>
#include <functional>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

std::vector<std::uint8_t> ramp(std::size_t size) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 7 + i / 256));
  return bytes;
}

// A variable to write; the elements of `data` have the given class.
struct Variable {
  std::string name = "ff";
  matio_classes kind = MAT_C_UINT8;
  matio_types type = MAT_T_UINT8;
  std::vector<std::size_t> dims = {5, 7};
  std::vector<std::uint8_t> data = ramp(35);
  int flags = 0;
};

class MatFile : public testing::Test {
 protected:
  void SetUp() override { testing::internal::CaptureStderr(); }
  // libmatio itself must print nothing.
  void TearDown() override { EXPECT_EQ(testing::internal::GetCapturedStderr(), ""); }

  std::filesystem::path path() const { return folder_ / "faces.mat"; }
  void put(std::string_view bytes) const { write_file(path(), bytes); }
  void write(const std::vector<Variable>& variables, matio_compression compression = MAT_COMPRESSION_NONE,
             mat_ft version = MAT_FT_MAT5) const {
    mat_t* file = Mat_CreateVer(path().c_str(), nullptr, version);
    ASSERT_NE(file, nullptr);
    for (Variable v : variables) {
      mat_complex_split_t parts{v.data.data(), v.data.data()};
      void* data = v.flags & MAT_F_COMPLEX ? static_cast<void*>(&parts) : v.data.data();
      matvar_t* variable = Mat_VarCreate(v.name.c_str(), v.kind, v.type, static_cast<int>(v.dims.size()),
                                         v.dims.data(), data, v.flags);
      ASSERT_NE(variable, nullptr);
      EXPECT_EQ(Mat_VarWrite(file, variable, compression), 0);
      Mat_VarFree(variable);
    }
    Mat_Close(file);
  }

  // Expects an error of one line that begins with the operation and the path and contains each of the
  // reasons.
  void expect_error(std::initializer_list<std::string> reasons, const std::string& variable = "ff") const {
    const std::string message = test::error_of([&] { read_mat_u8(path(), variable); });
    EXPECT_EQ(message.find("[read] " + path().string() + ": "), 0u) << message;
    for (const std::string& reason : reasons)
      EXPECT_NE(message.find(reason), std::string::npos) << message << "\n  lacks: " << reason;
  }

  test::TemporaryFolder folder_;
};

class MatFileBothWays : public MatFile, public testing::WithParamInterface<matio_compression> {};
INSTANTIATE_TEST_SUITE_P(, MatFileBothWays, testing::Values(MAT_COMPRESSION_NONE, MAT_COMPRESSION_ZLIB),
                         [](const auto& test) { return test.param ? "Compressed" : "Plain"; });

// ---- version 5, written by hand ----
std::string word(std::uint32_t w, bool big = false) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(w >> (big ? 24 - 8 * i : 8 * i));
  return bytes;
}
std::string header(bool big = false) {
  std::string text = "MATLAB 5.0 MAT-file";
  text.resize(124, ' ');
  return text + (big ? std::string("\1\0MI", 4) : std::string("\0\1IM", 4));
}
struct Sizes {  // sizes that the headers claim; tests set false ones
  std::uint32_t rows = 5, columns = 7, data = 35, element = 96;
};
// Returns the element of a 5 x 7 uint8 matrix ff.
std::string matrix(const Sizes& s = {}, bool big = false) {
  const auto w = [&](std::uint32_t v) { return word(v, big); };
  std::string text =
      w(14) + w(s.element) + w(6) + w(8) + w(9) + w(0) + w(5) + w(8) + w(s.rows) + w(s.columns);
  text += w(1) + w(2) + std::string("ff\0\0\0\0\0\0", 8) + w(2) + w(s.data);
  for (const std::uint8_t b : ramp(35)) text += static_cast<char>(b);
  return text + std::string(5, '\0');
}
std::string compressed(const std::string& element, std::uint32_t size_off = 0) {
  std::string packed(compressBound(element.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(element.data()),
           element.size());
  packed.resize(size);
  return word(15) + word(static_cast<std::uint32_t>(size) + size_off) + packed;
}

TEST_P(MatFileBothWays, ReadsAMatrixColumnByColumn) {
  write({{.name = "other", .data = ramp(35)}, {.dims = {560, 300}, .data = ramp(560 * 300)}}, GetParam());
  const MatBytes m = read_mat_u8(path(), "ff");
  EXPECT_EQ(m.rows, 560);
  EXPECT_EQ(m.columns, 300);
  EXPECT_EQ(m.values, ramp(560 * 300));
}

TEST_P(MatFileBothWays, ReadsOneToNineElements) {  // up to four elements are stored in their tag
  for (std::size_t n = 1; n <= 9; ++n) {
    write({{.dims = {1, n}, .data = ramp(n)}, {.name = "after"}}, GetParam());
    EXPECT_EQ(read_mat_u8(path(), "ff").values, ramp(n));
    EXPECT_EQ(read_mat_u8(path(), "after").values, ramp(35));
  }
}

TEST_P(MatFileBothWays, EveryTruncationIsAnError) {
  write({{.dims = {40, 50}, .data = ramp(2000)}}, GetParam());
  const std::string whole = read_file(path());
  ASSERT_EQ(read_mat_u8(path(), "ff").values, ramp(2000));
  for (std::size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 37) {
    put(whole.substr(0, size));
    expect_error({size == 0 ? "empty" : size <= 8 ? "not a MATLAB" : size == 128 ? "no variables" : ""});
    if (size > 128) expect_error({"truncated"});
  }
}

TEST_P(MatFileBothWays, DamagedBytesNeverCrash) {
  write({{.name = "text", .kind = MAT_C_CHAR, .type = MAT_T_UTF8, .dims = {1, 35}}, {}}, GetParam());
  const std::string whole = read_file(path());
  int read = 0;
  for (std::size_t at = 124; at < whole.size(); ++at)
    for (const int flip : {0x01, 0x40, 0xFF}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      put(damaged);
      try {
        EXPECT_LE(read_mat_u8(path(), "ff").values.size(), whole.size());
        ++read;
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find("[read] " + path().string()), 0u) << error.what();
      }
    }
  EXPECT_GE(read, GetParam() == MAT_COMPRESSION_NONE ? 100 : 0);  // some damage changes only an element
}

TEST_P(MatFileBothWays, ErrorsListTheExistingVariables) {
  write({{.name = "a"}, {.name = "faces"}}, GetParam());
  expect_error({"expected a variable 'ff', got 'a', 'faces'"});
}

TEST_P(MatFileBothWays, OtherClassesAndShapes) {
  const auto rejects = [&](const Variable& v, const std::string& reason) {
    write({v}, GetParam());
    expect_error({reason});
  };
  rejects({.kind = MAT_C_DOUBLE, .type = MAT_T_DOUBLE, .data = ramp(35 * 8)}, "'ff' to be uint8, got double");
  rejects({.kind = MAT_C_SINGLE, .type = MAT_T_SINGLE, .data = ramp(35 * 4)}, "got single");
  rejects({.kind = MAT_C_INT8, .type = MAT_T_INT8}, "got int8");
  rejects({.kind = MAT_C_UINT16, .type = MAT_T_UINT16, .data = ramp(70)}, "got uint16");
  rejects({.kind = MAT_C_CHAR, .type = MAT_T_UTF8}, "got char");
  rejects({.flags = MAT_F_LOGICAL}, "got logical");
  rejects({.flags = MAT_F_COMPLEX}, "got complex uint8");
  rejects({.dims = {5, 7, 2}, .data = ramp(70)}, "got 5 x 7 x 2");
  rejects({.dims = {5, 0}, .data = {}}, "a matrix with elements, got 5 x 0");
}

TEST_F(MatFile, ReadsHandMadeFilesOfBothByteOrders) {
  for (const bool big : {false, true}) {
    put(header(big) + matrix({}, big));
    const MatBytes m = read_mat_u8(path(), "ff");
    EXPECT_EQ(m.rows, 5);
    EXPECT_EQ(m.columns, 7);
    EXPECT_EQ(m.values, ramp(35));
  }
  put(header() + compressed(matrix()));
  EXPECT_EQ(read_mat_u8(path(), "ff").values, ramp(35));
}

TEST_F(MatFile, FalseSizesAreErrors) {
  const auto rejects = [&](const std::string& elements, std::initializer_list<std::string> reasons) {
    put(header() + elements);
    expect_error(reasons);
  };
  for (const bool packed : {false, true}) {
    const auto made = [&](const Sizes& s) { return packed ? compressed(matrix(s)) : matrix(s); };
    rejects(made({.columns = 700}),
            {"damaged: expected 3500 bytes of data, as a variable's sizes say, got 35"});
    rejects(made({.rows = 1u << 30, .columns = 1u << 30}), {"damaged", "got 35"});
    rejects(made({.columns = 9}), {"damaged: expected 45 bytes", "got 35"});
    rejects(made({.data = 20}), {"damaged: expected 35 bytes", "got 20"});
    rejects(made({.columns = 9, .data = 45}), {"damaged", "45 bytes, more than remain"});
    rejects(made({.data = 3000}), {"damaged", "3000 bytes, more than remain"});
  }
  rejects(matrix({.element = 97}), {"truncated: the variable at byte 128 has 97 bytes, 96 remain"});
  rejects(compressed(matrix({.element = 1000})), {"damaged: expected a variable of 1008 bytes, got 104"});
  rejects(compressed(matrix(), 1), {"truncated"});
  rejects(compressed("no matrix"), {"damaged: no variable in 9 bytes"});
  rejects(word(9) + word(8) + word(0) + word(0), {"no variable begins at byte 128"});
  rejects(matrix() + "odd", {"truncated: expected a variable, got only 3 bytes at offset 232"});
}

// A huge cell array beside the matrix must be refused, because libmatio would visit two billion cells.
TEST_F(MatFile, FalseSizesOfOtherVariablesAreErrors) {
  std::string cells = matrix({.rows = 1u << 30, .columns = 2});
  cells[16] = MAT_C_CELL;
  put(header() + cells + matrix());
  expect_error({"damaged: 2147483648 members in 104 bytes"});
  write({{.name = "cells", .kind = MAT_C_CELL, .type = MAT_T_CELL, .dims = {0, 0}}, {}});
  EXPECT_EQ(read_mat_u8(path(), "ff").values, ramp(35));
}

TEST_F(MatFile, DamagedCompressedData) {
  const std::string whole = compressed(matrix());
  std::string wrong_sum = whole;
  wrong_sum.back() = static_cast<char>(wrong_sum.back() ^ 1);
  put(header() + wrong_sum);
  expect_error({"damaged: compressed data: incorrect data check"});
  // The header has the correct size of this half.
  const std::string half = whole.substr(8, whole.size() / 2);
  put(header() + word(15) + word(static_cast<std::uint32_t>(half.size())) + half);
  expect_error({"damaged: compressed data: unexpected end"});
  put(header() + word(15) + word(0));
  expect_error({"damaged: compressed data"});
}

TEST_F(MatFile, MissingAndForeignFiles) {
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

TEST_F(MatFile, ForeignVariableNamesStayOnOneLine) {
  std::string odd = matrix();
  odd.replace(odd.find("ff"), 2, "f\n");
  put(header() + odd);
  expect_error({"got 'f?'"});
  std::string many = header();
  for (int i = 0; i < 20; ++i) many += odd;
  put(many);
  expect_error({"'f?', ..."});
}

TEST_F(MatFile, Version73ErrorSuggestsAConversion) {
  write({{}}, MAT_COMPRESSION_NONE, MAT_FT_MAT73);
  expect_error({"MATLAB 7.3 (HDF5) file", "'-v7'", "h5py", "scipy.io.savemat"});
  put("\x89HDF\r\n\x1a\n");
  expect_error({"MATLAB 7.3 (HDF5) file"});
}

TEST_F(MatFile, Version4ErrorSuggestsAConversion) {
  write({{.kind = MAT_C_DOUBLE, .type = MAT_T_DOUBLE, .data = ramp(35 * 8)}}, MAT_COMPRESSION_NONE,
        MAT_FT_MAT4);
  expect_error({"MATLAB 4 file", "'-v7'", "scipy.io.loadmat"});
}

}  // namespace
}  // namespace gpuvae::io
