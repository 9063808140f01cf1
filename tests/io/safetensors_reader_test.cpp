// The public reader and writer of safetensors files. The fixture with several types was written by PyTorch.
#include "gpuvae/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/io/file.h"
#include "src/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::TemporaryFolder;

const std::filesystem::path kTypes = GPUVAE_SOURCE_DIR "/tests/interop/weights/pytorch_types.safetensors";

// Writes one tensor "a" with this type, shape (as JSON) and data.
std::filesystem::path one_tensor(const TemporaryFolder& folder, const std::string& dtype,
                                 const std::string& shape, std::string_view data) {
  const std::string header =
      fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":[0,{}]}}}})", dtype, shape, data.size());
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  io::write_file(folder / "one", bytes.append(header).append(data), io::Sync::no);
  return folder / "one";
}

template <class T>
std::string raw_bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

TEST(SafetensorsReader, ConvertsTheTypesOfPyTorch) {
  const SafetensorsReader file(kTypes);
  const std::vector<float> values = {1, -2.5f, 3.140625f, 65504, 5.9604645e-08f, -0.f};
  for (const char* name : {"f16", "f32", "f64"}) {
    const Tensor read = file.read(name);
    EXPECT_EQ(read.shape(), Shape({2, 3})) << name;
    EXPECT_EQ(read.to_vector(), values) << name;
  }
  EXPECT_TRUE(std::signbit(file.read("f16").to_vector()[5]));
  // 3.140625 has 8 significant bits, and 65504 is rounded up to a power of two.
  EXPECT_EQ(file.read("bf16").to_vector(),
            (std::vector<float>{1, -2.5f, 3.140625f, 65536, 5.9604645e-08f, 0}));
  EXPECT_EQ(file.read("f16", DType::f64).to_doubles()[4], std::ldexp(1.0, -24));
  EXPECT_EQ(file.read("f32", DType::bf16).to(DType::f32).to_vector()[3], 65536);
  EXPECT_EQ(file.read("i64", DType::f64).to_doubles(), (std::vector<double>{0, -3, 1099511627776}));
  EXPECT_EQ(file.read("i16", DType::i32).to(DType::f32).to_vector(), (std::vector<float>{0, -3, 300}));
  EXPECT_EQ(file.read("bool").to_vector(), (std::vector<float>{1, 0}));
}

TEST(SafetensorsReader, ListsTensorsAndSelectsByPattern) {
  const SafetensorsReader file(kTypes);
  EXPECT_EQ(file.tensors().size(), 7u);
  EXPECT_TRUE(file.contains("f16"));
  EXPECT_FALSE(file.contains("f17"));
  const std::string patterns[] = {"bf*", "*64"};
  std::vector<std::string> names = file.names(patterns);
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"bf16", "f64", "i64"}));
}

TEST(SafetensorsReader, MatchesPatterns) {
  EXPECT_TRUE(matches_pattern("encoder.0.weight", "encoder.*"));
  EXPECT_TRUE(matches_pattern("encoder.0.weight", "*.weight"));
  EXPECT_TRUE(matches_pattern("encoder.0.weight", "e*0*t"));
  EXPECT_TRUE(matches_pattern("", "*"));
  EXPECT_TRUE(matches_pattern("abab", "*ab"));
  EXPECT_FALSE(matches_pattern("encoder.0.weight", "encoder"));
  EXPECT_FALSE(matches_pattern("ab", "a*c"));
  EXPECT_FALSE(matches_pattern("a", ""));
}

TEST(SafetensorsReader, ReadsRows) {
  const TemporaryFolder folder;
  const SafetensorsReader file(one_tensor(folder, "F32", "[3,2]", raw_bytes<float>({1, 2, 3, 4, 5, 6})));
  const Tensor rows = file.read_rows("a", 1, 2, DType::f64);
  EXPECT_EQ(rows.shape(), Shape({2, 2}));
  EXPECT_EQ(rows.to_doubles(), (std::vector<double>{3, 4, 5, 6}));
  EXPECT_EQ(file.read_rows("a", 3, 0).elements(), 0);
  EXPECT_NE(error_of([&] { return file.read_rows("a", 2, 2); }).find("within the 3 of the tensor"),
            std::string::npos);
  EXPECT_NE(error_of([&] { return file.read_rows("a", -1, 1); }).find("within the 3"), std::string::npos);
}

// More than one part of 1 MiB is read, and a file that is replaced stays readable.
TEST(SafetensorsReader, ReadsLargeTensorsOfAReplacedFile) {
  const TemporaryFolder folder;
  std::vector<float> values(700'001);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const NamedTensor large[] = {{"a", Tensor::from(values, {700'001})}};
  write_safetensors(folder / "f", large);
  const SafetensorsReader file(folder / "f");
  write_safetensors(folder / "f", {});
  EXPECT_EQ(file.read("a").to_vector(), values);
  EXPECT_EQ(file.read("a", DType::f64).to_doubles()[700'000], 700'000);
  EXPECT_TRUE(SafetensorsReader(folder / "f").tensors().empty());
}

TEST(SafetensorsReader, RefusesWhatItCannotConvert) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& dtype, const std::string& shape, std::string_view data,
                         DType to) {
    const SafetensorsReader file(one_tensor(folder, dtype, shape, data));
    const std::string message = error_of([&] { return file.read("a", to); });
    const std::string prefix = "[read] " + (folder / "one").string() + ": tensor 'a': ";
    EXPECT_EQ(message.substr(0, prefix.size()), prefix);
    return message.substr(std::min(prefix.size(), message.size()));
  };
  EXPECT_EQ(error("F64", "[1]", raw_bytes<double>({1e39}), DType::f32),
            "expected numbers in the range of f32, got 1e+39");
  EXPECT_EQ(error("F32", "[1]", raw_bytes<float>({1}), DType::u8),
            "expected integers for the dtype u8, got F32");
  EXPECT_EQ(error("I64", "[1]", raw_bytes<std::int64_t>({-1}), DType::u8),
            "expected integers that the dtype represents, got -1");
  EXPECT_EQ(error("I64", "[1]", raw_bytes<std::int64_t>({std::int64_t{1} << 31}), DType::i32),
            "expected integers that the dtype represents, got 2147483648");
  EXPECT_EQ(error("I64", "[1]", raw_bytes<std::int64_t>({(1 << 24) + 1}), DType::f32),
            "expected integers that a float represents, got 16777217");
  EXPECT_EQ(
      error("U64", "[1]", raw_bytes<std::uint64_t>({std::numeric_limits<std::uint64_t>::max()}), DType::f64),
      "expected integers that a float represents, got 18446744073709551615");
  EXPECT_EQ(error("F8_E4M3", "[1]", "x", DType::f32),
            "expected floats of 2 to 8 bytes, integers or booleans, got F8_E4M3");
  EXPECT_EQ(error("F4", "[2]", "x", DType::f32), "expected a known element type, got F4");
  EXPECT_EQ(error("U8", "[1,1,1,1,1]", "x", DType::f32), "expected at most 4 axes, got 5");
}

TEST(SafetensorsReader, RefusesMissingTensorsAndFiles) {
  const TemporaryFolder folder;
  const std::filesystem::path path = one_tensor(folder, "U8", "[1]", "x");
  EXPECT_EQ(error_of([&] { return SafetensorsReader(path).read("b"); }),
            "[read] " + path.string() + ": expected a tensor 'b', found none");
  EXPECT_EQ(error_of([&] { SafetensorsReader(folder / "none"); }),
            "[read] " + (folder / "none").string() + ": No such file or directory");
  EXPECT_EQ(error_of([&] { SafetensorsReader{folder.path()}; }),
            "[read] " + folder.path().string() + ": Is a directory");
  io::write_file(folder / "short", "1234");
  EXPECT_EQ(error_of([&] { SafetensorsReader(folder / "short"); }),
            "[read] " + (folder / "short").string() + ": expected at least 8 bytes, got 4");
}

TEST(SafetensorsReader, AFileThatIsCutShortIsAnError) {
  const TemporaryFolder folder;
  const std::filesystem::path path = one_tensor(folder, "U8", "[4]", "wxyz");
  const SafetensorsReader file(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_EQ(error_of([&] { return file.read("a"); }),
            "[read] " + path.string() + ": the file has become shorter");
}

TEST(SafetensorsWriter, StoresFloatsAsRequested) {
  const TemporaryFolder folder;
  const NamedTensor tensors[] = {{"w", Tensor::from(std::vector<float>{1.f / 3, -2, 2049, 6e-8f}, {2, 2})},
                                 {"n", Tensor::from(std::vector<std::int32_t>{7}, {1})}};
  write_safetensors(folder / "f", tensors, {{"note", "é"}}, StoredFloat::f16);
  const SafetensorsReader file(folder / "f");
  EXPECT_EQ(file.metadata().at("note"), "é");
  EXPECT_EQ(file.tensors()[0].dtype, "F16");
  EXPECT_EQ(file.tensors()[1].dtype, "I32");
  // 1/3 has 11 bits in binary16, 2049 lies between two even numbers, and 6e-8 is near the least number,
  // 2^-24.
  EXPECT_EQ(file.read("w", DType::f64).to_doubles(),
            (std::vector<double>{0.333251953125, -2, 2048, std::ldexp(1.0, -24)}));
  write_safetensors(folder / "f", tensors, {}, StoredFloat::bf16);
  EXPECT_EQ(SafetensorsReader(folder / "f").read("w").to_vector()[0], 0.333984375f);
  EXPECT_EQ(io::read_safetensors(folder / "f").tensors[0].second.dtype, DType::bf16);
  write_safetensors(folder / "f", tensors, {}, StoredFloat::f64);
  EXPECT_EQ(SafetensorsReader(folder / "f").read("w", DType::f64).to_doubles()[0],
            static_cast<double>(1.f / 3));
}

TEST(SafetensorsWriter, RefusesNumbersBeyondTheStoredType) {
  const TemporaryFolder folder;
  const NamedTensor tensors[] = {{"w", Tensor::from(std::vector<float>{65520}, {1})}};
  EXPECT_EQ(error_of([&] { write_safetensors(folder / "f", tensors, {}, StoredFloat::f16); }),
            "[write] " + (folder / "f").string() +
                ": tensor 'w': expected numbers in the range of the stored type, got 65520");
  EXPECT_TRUE(folder.names().empty());
  const NamedTensor same_name[] = {tensors[0], tensors[0]};
  EXPECT_EQ(error_of([&] { write_safetensors(folder / "f", same_name); }),
            "[write] " + (folder / "f").string() + ": duplicate tensor name 'w'");
  const NamedTensor undefined[] = {{"w", Tensor()}};
  EXPECT_EQ(error_of([&] { write_safetensors(folder / "f", undefined); }),
            "[write] " + (folder / "f").string() + ": tensor 'w': expected a defined tensor");
}

TEST(SafetensorsWriter, ReplacesTheChecksumOfOtherMetadata) {
  const TemporaryFolder folder;
  const NamedTensor tensors[] = {{"w", Tensor::from(std::vector<float>{1, 2}, {2})}};
  write_safetensors(folder / "f", tensors, {{"checksum", "0123456789abcdef"}});
  SafetensorsReader(folder / "f").check_checksum();
  io::read_safetensors(folder / "f");
  std::string bytes = io::read_file(folder / "f");
  bytes.back() ^= 1;
  io::write_file(folder / "f", bytes);
  EXPECT_NE(error_of([&] { SafetensorsReader(folder / "f").check_checksum(); }).find("expected checksum"),
            std::string::npos);
}

// All 65,536 bit patterns of binary16 survive reading and writing, except that NaNs become one NaN per sign.
TEST(SafetensorsWriter, EveryHalfSurvives) {
  const TemporaryFolder folder;
  std::string all;
  for (unsigned bits = 0; bits < 65536; ++bits)
    all += raw_bytes<std::uint16_t>({static_cast<std::uint16_t>(bits)});
  const SafetensorsReader file(one_tensor(folder, "F16", "[65536]", all));
  const NamedTensor values[] = {{"a", file.read("a")}};
  write_safetensors(folder / "two", values, {}, StoredFloat::f16);
  const std::string back = io::read_file(folder / "two");
  std::size_t different = 0;
  for (std::size_t i = 0; i < 65536; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, back.data() + back.size() - all.size() + 2 * i, 2);
    const bool is_nan = (i & 0x7C00) == 0x7C00 && (i & 0x3FF) != 0;
    different += is_nan ? (bits & 0x7C00) != 0x7C00 || (bits & 0x3FF) == 0 : bits != i;
  }
  EXPECT_EQ(different, 0u);
}

}  // namespace
}  // namespace gpuvae
