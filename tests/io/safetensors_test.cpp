#include "src/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "src/io/checksum.h"
#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;

HostTensor tensor_of(DType dtype, std::vector<std::int64_t> shape, std::string_view bytes) {
  const auto span = std::as_bytes(std::span(bytes));
  return {dtype, std::move(shape), {span.begin(), span.end()}};
}

std::string file_bytes(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes.append(header).append(data);
}

// Returns the error of reading these bytes, without the prefix "[read] path: ", with which it must begin.
std::string reading_error(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::string path = (folder / "model.safetensors").string();
  write_file(path, bytes);
  const std::string message = error_of([&] { read_safetensors(path); });
  const std::string prefix = "[read] " + path + ": ";
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.size() < prefix.size() ? message : message.substr(prefix.size());
}

// Reads a header with one tensor "a" and these fields, followed by four bytes.
std::string error_of_fields(const std::string& fields) {
  return reading_error(file_bytes("{\"a\":{" + fields + "}}", "1234"));
}

TEST(Safetensors, RoundTripKeepsOrderTypesAndBytes) {
  const TemporaryFolder folder;
  TensorFile file;
  file.tensors = {{"z.bytes", tensor_of(DType::u8, {3}, "abc")},
                  {"encoder.weight", tensor_of(DType::f32, {2, 1}, "12345678")},
                  {"scalar", tensor_of(DType::f64, {}, "ABCDEFGH")},
                  {"empty", tensor_of(DType::i32, {0, 5}, "")},
                  {"half \"quoted\" é", tensor_of(DType::bf16, {1, 1, 1, 1, 2}, "wxyz")},
                  {"a", tensor_of(DType::i32, {1}, "ijkl")}};
  file.metadata = {{"format", "gpuvae"}, {"note", "line\nbreak"}};
  write_safetensors(folder / "m", file);
  const TensorFile back = read_safetensors(folder / "m");
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    EXPECT_EQ(back.tensors[i].first, file.tensors[i].first);
    EXPECT_EQ(back.tensors[i].second.dtype, file.tensors[i].second.dtype);
    EXPECT_EQ(back.tensors[i].second.shape, file.tensors[i].second.shape);
    EXPECT_EQ(back.tensors[i].second.bytes, file.tensors[i].second.bytes);
  }
}

TEST(Safetensors, WritesTheStandardLayout) {
  const TemporaryFolder folder;
  TensorFile file;
  file.tensors = {{"b", tensor_of(DType::u8, {1}, "!")}, {"w", tensor_of(DType::f32, {1}, "1234")}};
  write_safetensors(folder / "m", file);
  std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},)"
                       R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_file(folder / "m"), file_bytes(header, "1234!"));
}

TEST(Safetensors, AFileWithoutTensorsIsValid) {
  const TemporaryFolder folder;
  write_safetensors(folder / "m", {});
  EXPECT_TRUE(read_safetensors(folder / "m").tensors.empty());
  EXPECT_TRUE(read_safetensors(folder / "m").metadata.empty());
}

TEST(Safetensors, RefusesToWriteUnreadableFiles) {
  const TemporaryFolder folder;
  const std::string path = (folder / "m").string();
  const HostTensor good = tensor_of(DType::f32, {1}, "1234");
  const auto error = [&](decltype(TensorFile::tensors) tensors, std::map<std::string, std::string> metadata) {
    return error_of([&] { write_safetensors(path, {std::move(tensors), std::move(metadata)}); });
  };
  const std::string at = "[write] " + path + ": ";
  EXPECT_EQ(error({{"a", good}, {"a", good}}, {}), at + "duplicate tensor name 'a'");
  EXPECT_EQ(error({{"__metadata__", good}}, {}), at + "tensor name '__metadata__' is reserved");
  EXPECT_EQ(error({{"a", tensor_of(DType::f32, {2, 3}, "1234")}}, {}),
            at + "tensor 'a': 4 bytes of f32 do not match shape [2, 3]");
  EXPECT_EQ(error({{"a", tensor_of(DType::f32, {-1, -1}, "1234")}}, {}),
            at + "tensor 'a': 4 bytes of f32 do not match shape [-1, -1]");
  EXPECT_EQ(error({{"a", good}}, {{"key", "\xff"}}), at + "a tensor name or the metadata is not UTF-8");
  EXPECT_TRUE(folder.names().empty());
}

TEST(Safetensors, RefusesDamagedHeaders) {
  EXPECT_EQ(reading_error(""), "expected at least 8 bytes, got 0");
  EXPECT_EQ(reading_error("1234567"), "expected at least 8 bytes, got 7");
  EXPECT_EQ(reading_error(std::string(8, '\xff') + "{}"),
            "expected a complete safetensors file, got 10 bytes, of which the first 8 announce a header of "
            "18446744073709551615 bytes");
  EXPECT_EQ(
      reading_error(file_bytes("{}", "").substr(0, 9)),
      "expected a complete safetensors file, got 9 bytes, of which the first 8 announce a header of 2 bytes");
  EXPECT_EQ(reading_error(file_bytes("", "")), "header does not begin with '{'");
  EXPECT_EQ(reading_error(file_bytes(" {}", "")), "header does not begin with '{'");
  EXPECT_EQ(reading_error(file_bytes("{\"a\":1", "")), "header is not valid JSON (at its byte 7)");
  EXPECT_EQ(reading_error(file_bytes("{} x", "")), "header is not valid JSON (at its byte 4)");
  EXPECT_EQ(reading_error(file_bytes("{\"\xff\":1}", "")), "header is not valid JSON (at its byte 3)");
  EXPECT_EQ(reading_error(file_bytes(R"({"a":1})", "")), "tensor 'a': its header entry is not an object");
  EXPECT_EQ(reading_error(file_bytes("{\"a\":" + std::string(1'000'000, '['), "")),
            "header is not valid JSON (at its byte 1000006)");
}

TEST(Safetensors, RefusesNumbersBeyondDoubles) {
  EXPECT_EQ(reading_error(file_bytes(R"({"a":{"dtype":"F32","shape":[1e999]}})", "")),
            "header has a number beyond 64-bit floats");
}

TEST(Safetensors, RefusesDuplicateNames) {
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_EQ(reading_error(file_bytes("{" + a + "," + a + "}", "1")), "duplicate name 'a' in the header");
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4])"),
            "duplicate name 'dtype' in the header");
}

TEST(Safetensors, RefusesBadMetadata) {
  EXPECT_EQ(reading_error(file_bytes(R"({"__metadata__":[]})", "")), "__metadata__ is not an object");
  EXPECT_EQ(reading_error(file_bytes(R"({"__metadata__":{"epoch":3}})", "")),
            "__metadata__ 'epoch' is not a string");
}

TEST(Safetensors, RefusesBadFields) {
  EXPECT_EQ(error_of_fields(R"("dtype":"F16","shape":[2],"data_offsets":[0,4])"),
            "tensor 'a': expected dtype F32, F64, BF16, U8 or I32, got 'F16'");
  EXPECT_EQ(error_of_fields(R"("shape":[1],"data_offsets":[0,4])"),
            "tensor 'a': dtype is missing or not a string");
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","data_offsets":[0,4])"),
            "tensor 'a': shape is not an array of sizes");
  for (const char* shape : {"1", "[-1]", "[1.0]", "[\"1\"]", "null"})
    EXPECT_EQ(error_of_fields(std::string(R"("dtype":"F32","data_offsets":[0,4],"shape":)") + shape),
              "tensor 'a': shape is not an array of sizes");
  for (const char* offsets : {"[0]", "[0,4,8]", "[-4,0]", "4", "[0,4.0]"})
    EXPECT_EQ(error_of_fields(std::string(R"("dtype":"F32","shape":[1],"data_offsets":)") + offsets),
              "tensor 'a': data_offsets is not a pair of offsets");
}

TEST(Safetensors, RefusesSpansThatDoNotFit) {
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
            "tensor 'a': data_offsets [0, 8] are not inside the 4 bytes of data");
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"),
            "tensor 'a': data_offsets [4, 0] are not inside the 4 bytes of data");
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615])"),
            "tensor 'a': data_offsets [0, 18446744073709551615] are not inside the 4 bytes of data");
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
            "tensor 'a': F32 [2] takes 8 bytes, data_offsets span 4");
  // 2^62 * 4 elements of four bytes would wrap around to 0, and 2^63 does not fit a size.
  EXPECT_EQ(error_of_fields(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0])"),
            "tensor 'a': shape [4611686018427387904, 4] overflows");
  EXPECT_NE(
      error_of_fields(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4])").find("overflows"),
      std::string::npos);
}

TEST(Safetensors, RefusesHolesAndOverlapsInTheData) {
  const auto error = [](const std::string& first, const std::string& second) {
    const std::string entry = R"({"dtype":"U8","shape":[2],"data_offsets":)";
    return reading_error(
        file_bytes("{\"a\":" + entry + first + "},\"b\":" + entry + second + "}}", "123456"));
  };
  EXPECT_EQ(error("[0,2]", "[1,3]"), "tensors overlap at data offset 1");
  EXPECT_EQ(error("[0,2]", "[0,2]"), "tensors overlap at data offset 0");
  EXPECT_EQ(error("[4,6]", "[0,2]"), "hole in the data at offsets [2, 4]");
  EXPECT_EQ(error("[4,6]", "[2,4]"), "hole in the data at offsets [0, 2]");
  EXPECT_EQ(error("[2,4]", "[0,2]"), "2 trailing bytes");
  EXPECT_EQ(reading_error(file_bytes("{}", "x")), "1 trailing bytes");
}

TensorFile checked_file() {
  TensorFile file;
  file.tensors = {{"w", tensor_of(DType::f32, {2, 1}, "12345678")}, {"b", tensor_of(DType::u8, {3}, "abc")}};
  file.metadata = {{"format", "gpuvae"}, {"epochs", "3"}};
  file.metadata[kChecksumKey] = checksum_of(file);
  return file;
}

// Flips each bit of the file in turn. The reader must refuse the file, unless the change has no meaning.
TEST(Safetensors, AChecksumFindsEveryChangedBit) {
  const TemporaryFolder folder;
  const TensorFile file = checked_file();
  write_safetensors(folder / "m", file);
  const std::string bytes = read_file(folder / "m");
  int refused = 0, harmless = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      write_file(folder / "m", changed, Sync::no);
      try {
        const TensorFile back = read_safetensors(folder / "m");
        const bool checked = back.metadata.contains(kChecksumKey);
        EXPECT_TRUE(!checked || checksum_of(back) == file.metadata.at(kChecksumKey)) << "byte " << i;
        harmless += checked;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io);
        ++refused;
      }
    }
  EXPECT_GT(refused, static_cast<int>(bytes.size()) * 7);
  EXPECT_LT(harmless, 100);
}

TEST(Safetensors, AChecksumFindsEveryTruncation) {
  const TemporaryFolder folder;
  write_safetensors(folder / "m", checked_file());
  const std::string bytes = read_file(folder / "m");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file(folder / "m", bytes.substr(0, size), Sync::no);
    EXPECT_NE(error_of([&] { read_safetensors(folder / "m"); }).find("m: "), std::string::npos) << size;
  }
}

// Other programs sort the header or store the data in another order.
TEST(Safetensors, AChecksumDoesNotDependOnTheOrder) {
  TensorFile file = checked_file();
  const std::string sum = file.metadata.at(kChecksumKey);
  std::swap(file.tensors[0], file.tensors[1]);
  EXPECT_EQ(checksum_of(file), sum);
  file.tensors[0].second.bytes[2] = std::byte{'d'};
  EXPECT_NE(checksum_of(file), sum);
  file = checked_file();
  file.metadata["epochs"] = "4";
  EXPECT_NE(checksum_of(file), sum);
  file = checked_file();
  file.tensors[0].second.shape = {1, 2};
  EXPECT_NE(checksum_of(file), sum);
}

TEST(Safetensors, NamesBothChecksums) {
  const TemporaryFolder folder;
  TensorFile file = checked_file();
  const std::string sum = file.metadata.at(kChecksumKey);
  file.metadata[kChecksumKey] = "0123456789abcdef";
  write_safetensors(folder / "m", file);
  EXPECT_NE(error_of([&] {
              read_safetensors(folder / "m");
            }).find("expected checksum 0123456789abcdef, got " + sum),
            std::string::npos);
}

TEST(Safetensors, ReadsMetadataAlone) {
  const TemporaryFolder folder;
  write_safetensors(folder / "m", checked_file());
  EXPECT_EQ(read_safetensors_metadata(folder / "m"), checked_file().metadata);
  write_file(folder / "n", file_bytes("{}", ""));
  EXPECT_TRUE(read_safetensors_metadata(folder / "n").empty());
  write_file(folder / "n", "short");
  EXPECT_NE(
      error_of([&] { read_safetensors_metadata(folder / "n"); }).find("expected at least 8 bytes, got 5"),
      std::string::npos);
  write_file(folder / "n", file_bytes("{}", "").replace(0, 1, 1, '\x7f'));
  EXPECT_NE(error_of([&] {
              read_safetensors_metadata(folder / "n");
            }).find("got 10 bytes, of which the first 8 announce a header of 127 bytes"),
            std::string::npos);
}

// The values are those of zlib's crc32 and adler32 in Python.
TEST(Checksum, IsCrcAndAdler) {
  Checksum sum;
  EXPECT_EQ(sum.text(), "0000000000000001");
  sum.add(std::as_bytes(std::span("123456789", 9)));
  EXPECT_EQ(sum.text(), "cbf43926091e01de");
  Checksum text;
  text.add(std::string_view("abc"));
  EXPECT_EQ(text.text(), "38004f3d0276012a");
}

TEST(Safetensors, NamesAMissingFile) {
  EXPECT_EQ(error_of([] { read_safetensors("no/such.safetensors"); }),
            "[read] no/such.safetensors: No such file or directory");
}

}  // namespace
}  // namespace gpuvae::io
