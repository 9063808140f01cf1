// MAT files that libmatio writes. libmatio shares no code with the reader.
#include <gtest/gtest.h>
#include <matio.h>

#include <numeric>

#include "src/io/mat.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

template <class T>
void expect_round_trip(matio_classes kind, matio_types type, matio_compression compression,
                       const std::string& name) {
  const test::TemporaryFolder folder;
  std::vector<T> values(40 * 7);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 120);
  std::size_t dims[] = {40, 7};
  mat_t* file = Mat_CreateVer((folder / "x.mat").c_str(), nullptr, MAT_FT_MAT5);
  ASSERT_NE(file, nullptr);
  matvar_t* variable = Mat_VarCreate("X", kind, type, 2, dims, values.data(), 0);
  EXPECT_EQ(Mat_VarWrite(file, variable, compression), 0);
  Mat_VarFree(variable);
  Mat_Close(file);
  const MatMatrix m = read_mat(folder / "x.mat");
  EXPECT_EQ(m.name, "X");
  EXPECT_EQ(m.class_name, name);
  EXPECT_EQ(m.shape, (std::vector<std::int64_t>{40, 7}));
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(m.bytes ? m.u8[i] : m.f64[i], static_cast<double>(values[i]));
}

TEST(MatOfLibmatio, EveryClassRoundTrips) {
  for (const auto compression : {MAT_COMPRESSION_NONE, MAT_COMPRESSION_ZLIB}) {
    expect_round_trip<double>(MAT_C_DOUBLE, MAT_T_DOUBLE, compression, "double");
    expect_round_trip<float>(MAT_C_SINGLE, MAT_T_SINGLE, compression, "single");
    expect_round_trip<std::int8_t>(MAT_C_INT8, MAT_T_INT8, compression, "int8");
    expect_round_trip<std::uint8_t>(MAT_C_UINT8, MAT_T_UINT8, compression, "uint8");
    expect_round_trip<std::int16_t>(MAT_C_INT16, MAT_T_INT16, compression, "int16");
    expect_round_trip<std::uint16_t>(MAT_C_UINT16, MAT_T_UINT16, compression, "uint16");
    expect_round_trip<std::int32_t>(MAT_C_INT32, MAT_T_INT32, compression, "int32");
    expect_round_trip<std::uint32_t>(MAT_C_UINT32, MAT_T_UINT32, compression, "uint32");
    expect_round_trip<std::int64_t>(MAT_C_INT64, MAT_T_INT64, compression, "int64");
    expect_round_trip<std::uint64_t>(MAT_C_UINT64, MAT_T_UINT64, compression, "uint64");
  }
}

TEST(MatOfLibmatio, OtherVersionsAreRefused) {
  const test::TemporaryFolder folder;
  double value[2] = {1, 2};
  std::size_t dims[] = {1, 2};
  for (const auto& [version, reason] :
       {std::pair(MAT_FT_MAT73, "MATLAB 7.3 (HDF5) file"), {MAT_FT_MAT4, "MATLAB 4 file"}}) {
    mat_t* file = Mat_CreateVer((folder / "x.mat").c_str(), nullptr, version);
    ASSERT_NE(file, nullptr);
    matvar_t* variable = Mat_VarCreate("X", MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, value, 0);
    EXPECT_EQ(Mat_VarWrite(file, variable, MAT_COMPRESSION_NONE), 0);
    Mat_VarFree(variable);
    Mat_Close(file);
    const std::string message = test::error_of([&] { read_mat(folder / "x.mat"); });
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    std::filesystem::remove(folder / "x.mat");
  }
}

}  // namespace
}  // namespace gpuvae::io
