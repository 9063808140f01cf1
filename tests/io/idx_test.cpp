#include "src/io/idx.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "gpuvae/error.h"

namespace gpuvae::io {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes big_endian_words(std::initializer_list<std::uint32_t> words) {
  Bytes bytes;
  for (const std::uint32_t word : words)
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
  return bytes;
}

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes ramp(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

Bytes bytes_of(const Tensor& pixels) {
  const auto* first = pixels.data_as<std::uint8_t>();
  return {first, first + pixels.elements()};
}

class IdxFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "gpuvae_idx_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path at(const std::string& name) const { return folder_ / name; }

  std::filesystem::path put_raw(const Bytes& bytes) const {
    std::ofstream out(at("digits"), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return at("digits");
  }

  std::filesystem::path folder_;
};

// Reads each file both plain and compressed, under a name that does not reveal the format.
class IdxTest : public IdxFiles, public testing::WithParamInterface<bool> {
 protected:
  std::filesystem::path put(const Bytes& bytes) const {
    if (!GetParam()) return put_raw(bytes);
    const gzFile out = gzopen(at("digits").c_str(), "wb");
    gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
    EXPECT_EQ(gzclose(out), Z_OK);
    return at("digits");
  }
};

// Expects an error of one line that begins with the operation and names the file and each of the reasons.
void expect_error(const std::function<void()>& call, const std::filesystem::path& path,
                  std::initializer_list<std::string> reasons, const std::string& operation = "read_idx") {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find("[" + operation + "] " + path.string() + ": "), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& reason : reasons)
      EXPECT_NE(message.find(reason), std::string::npos) << message << "\n  lacks: " << reason;
    return;
  }
  ADD_FAILURE() << "no error for " << path;
}

void expect_bad_images(const std::filesystem::path& path, std::initializer_list<std::string> reasons) {
  expect_error([&] { read_idx_images(path); }, path, reasons);
}

void expect_bad_labels(const std::filesystem::path& path, std::initializer_list<std::string> reasons) {
  expect_error([&] { read_idx_labels(path); }, path, reasons);
}

INSTANTIATE_TEST_SUITE_P(, IdxTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Gzip" : "Plain"; });

TEST_P(IdxTest, ReadsImages) {
  const Bytes pixels = ramp(3 * 5 * 2);
  const IdxImages images = read_idx_images(put(joined(big_endian_words({2051, 3, 5, 2}), pixels)));
  EXPECT_EQ(images.count, 3);
  EXPECT_EQ(images.rows, 5);
  EXPECT_EQ(images.columns, 2);
  EXPECT_EQ(images.pixels.text(), "u8[3, 10] on cpu");
  EXPECT_EQ(bytes_of(images.pixels), pixels);
}

TEST_P(IdxTest, ReadsLabels) {
  EXPECT_EQ(read_idx_labels(put(joined(big_endian_words({2049, 4}), {7, 2, 1, 0}))), (Bytes{7, 2, 1, 0}));
}

TEST_P(IdxTest, ReadsMoreThanOneChunk) {
  const Bytes pixels = ramp(3001 * 28 * 28);
  EXPECT_EQ(bytes_of(read_idx_images(put(joined(big_endian_words({2051, 3001, 28, 28}), pixels))).pixels),
            pixels);
}

TEST_P(IdxTest, EmptyFile) {
  expect_bad_images(put({}), {"empty file"});
  expect_bad_labels(put({}), {"empty file"});
}

TEST_P(IdxTest, TruncatedHeader) {
  expect_bad_images(put({0}), {"header of 16 bytes", "truncated one of 1"});
  expect_bad_images(put(big_endian_words({2051, 1, 28})), {"header of 16 bytes", "truncated one of 12"});
  expect_bad_labels(put(big_endian_words({2049})), {"header of 8 bytes", "truncated one of 4"});
}

TEST_P(IdxTest, TruncatedPayload) {
  expect_bad_images(put(joined(big_endian_words({2051, 2, 3, 3}), ramp(17))),
                    {"18 bytes", "2 x 3 x 3", "only 17", "truncated"});
  expect_bad_images(put(big_endian_words({2051, 2, 3, 3})), {"only 0", "truncated"});
  expect_bad_labels(put(joined(big_endian_words({2049, 3}), {1})), {"3 bytes", "only 1", "truncated"});
}

TEST_P(IdxTest, TrailingBytes) {
  expect_bad_images(put(joined(big_endian_words({2051, 2, 3, 3}), ramp(19))), {"after 18 bytes", "trailing"});
  expect_bad_labels(put(joined(big_endian_words({2049, 3}), ramp(4))), {"after 3 bytes", "trailing"});
}

TEST_P(IdxTest, LabelsForImagesAndImagesForLabels) {
  expect_bad_images(put(joined(big_endian_words({2049, 3}), ramp(3))),
                    {"magic 2051 (images of unsigned bytes)", "got 2049 (labels of unsigned bytes)"});
  expect_bad_labels(put(joined(big_endian_words({2051, 1, 1, 1}), ramp(1))),
                    {"magic 2049 (labels of unsigned bytes)", "got 2051 (images of unsigned bytes)"});
}

TEST_P(IdxTest, OtherTypesAndForeignFiles) {
  expect_bad_images(put(big_endian_words({0x0D03, 1, 1, 1, 0})),
                    {"got 3331 (3-dimensional IDX of 32-bit floats)"});
  expect_bad_images(put(big_endian_words({0x0903, 1, 1, 1})),
                    {"got 2307 (3-dimensional IDX of signed bytes)"});
  expect_bad_labels(put(big_endian_words({0x0802, 1, 1})),
                    {"got 2050 (2-dimensional IDX of unsigned bytes)"});
  expect_bad_labels(put(big_endian_words({0x0C01, 1, 1})),
                    {"got 3073 (1-dimensional IDX of 32-bit integers)"});
  expect_bad_images(put(big_endian_words({0x89504E47, 0, 0, 0})), {"0x89504e47, not an IDX file"});
}

TEST_P(IdxTest, ZeroSizes) {
  expect_bad_images(put(big_endian_words({2051, 0, 28, 28})), {"sizes from 1", "0 x 28 x 28"});
  expect_bad_images(put(big_endian_words({2051, 1, 28, 0})), {"1 x 28 x 0"});
  expect_bad_labels(put(big_endian_words({2049, 0})), {"got 0"});
}

TEST_P(IdxTest, HugeSizesDoNotOverflow) {
  const std::uint32_t most = 0xFFFFFFFF;
  expect_bad_images(put(big_endian_words({2051, most, most, most})),
                    {"4294967295 x 4294967295 x 4294967295"});
  // The product is 2^64 and would wrap around to zero.
  expect_bad_images(put(big_endian_words({2051, 1u << 31, 1u << 31, 4})), {"2147483648 x 2147483648 x 4"});
}

TEST_P(IdxTest, HugeSizesAreNotAllocatedFirst) {
  // The headers claim 2^40 bytes and 4 GiB. An attempt to allocate 2^40 bytes would throw something other
  // than Error.
  expect_bad_images(put(joined(big_endian_words({2051, 1u << 30, 32, 32}), ramp(100))),
                    {"only 100", "truncated"});
  expect_bad_labels(put(joined(big_endian_words({2049, 0xFFFFFFFF}), ramp(5))), {"only 5", "truncated"});
}

TEST_P(IdxTest, MissingFilesAndFolders) {
  expect_bad_images(at("absent"), {"expected a file", "No such file"});
  expect_bad_labels(at("absent") / "deeper", {"expected a file", "No such file"});
  expect_bad_images(folder_, {"directory"});
}

TEST_F(IdxFiles, CorruptGzip) {
  const Bytes content = joined(big_endian_words({2051, 40, 28, 28}), ramp(40 * 784));
  Bytes packed(compressBound(content.size()) + 64);
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = static_cast<unsigned>(content.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<unsigned>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  ASSERT_EQ(read_idx_images(put_raw(packed)).count, 40);

  Bytes wrong_crc = packed;
  wrong_crc[wrong_crc.size() - 8] ^= 1;
  expect_bad_images(put_raw(wrong_crc), {"an intact gzip stream", "incorrect data check"});

  Bytes wrong_length = packed;
  wrong_length[wrong_length.size() - 1] ^= 1;
  expect_bad_images(put_raw(wrong_length), {"an intact gzip stream", "incorrect length check"});

  Bytes damaged = packed;
  for (std::size_t i = 0; i < 8; ++i) damaged[damaged.size() / 2 + i] ^= 0xFF;
  expect_bad_images(put_raw(damaged), {"expected an intact gzip stream"});

  const auto cut = [&](std::size_t size) {
    return put_raw(Bytes(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size)));
  };
  for (const std::size_t size : {std::size_t{2}, std::size_t{12}, packed.size() / 2, packed.size() - 4})
    expect_bad_images(cut(size), {"an intact gzip stream", "unexpected end of file"});
}

TEST_F(IdxFiles, SeveralGzipStreamsAndTrailingBytes) {
  const auto append = [&](const Bytes& bytes) {
    const gzFile out = gzopen(at("digits").c_str(), "ab");
    gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
    EXPECT_EQ(gzclose(out), Z_OK);
  };
  append(joined(big_endian_words({2051, 2, 3, 3}), {1, 2, 3, 4}));
  expect_bad_images(at("digits"), {"18 bytes", "only 4", "truncated"});
  append(Bytes(14, 9));
  EXPECT_EQ(bytes_of(read_idx_images(at("digits")).pixels), joined({1, 2, 3, 4}, Bytes(14, 9)));
  std::ofstream(at("digits"), std::ios::app) << "no gzip stream";
  EXPECT_EQ(bytes_of(read_idx_images(at("digits")).pixels), joined({1, 2, 3, 4}, Bytes(14, 9)));
  std::filesystem::remove(at("digits"));
  append(joined(big_endian_words({2049, 2}), {5, 6}));
  EXPECT_EQ(read_idx_labels(at("digits")), (Bytes{5, 6}));
  append({7});
  expect_bad_labels(at("digits"), {"after 2 bytes", "trailing"});
}

TEST_F(IdxFiles, ReadsBackWhatItWrites) {
  write_idx_images(at("images"), {3, 4, 5}, ramp(60));
  write_idx_labels(at("labels"), {9, 8, 7});
  const IdxImages again = read_idx_images(at("images"));
  EXPECT_EQ(again.count, 3);
  EXPECT_EQ(again.rows, 4);
  EXPECT_EQ(again.columns, 5);
  EXPECT_EQ(bytes_of(again.pixels), ramp(60));
  EXPECT_EQ(read_idx_labels(at("labels")), (Bytes{9, 8, 7}));
  // Writing replaces an existing file and leaves no other file behind.
  write_idx_labels(at("labels"), {1});
  EXPECT_EQ(read_idx_labels(at("labels")), (Bytes{1}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2);
}

TEST_F(IdxFiles, RefusesToWriteUnreadableFiles) {
  const auto expect_refused = [&](std::array<std::int64_t, 3> sizes, const Bytes& pixels,
                                  std::initializer_list<std::string> reasons) {
    expect_error([&] { write_idx_images(at("images"), sizes, pixels); }, at("images"), reasons, "write_idx");
  };
  expect_refused({2, 2, 2}, ramp(7), {"8 bytes", "2 x 2 x 2", "got 7"});
  expect_refused({0, 2, 2}, {}, {"0 x 2 x 2"});
  expect_refused({-1, 2, 2}, {}, {"-1 x 2 x 2"});
  expect_refused({std::int64_t{1} << 33, 1, 1}, {}, {"8589934592 x 1 x 1"});
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(IdxFiles, FailedWriteLeavesNoFile) {
  const auto missing = at("absent") / "labels";
  expect_error([&] { write_idx_labels(missing, {1}); }, missing, {"No such file"}, "write");
  std::filesystem::create_directory(at("taken"));
  expect_error([&] { write_idx_labels(at("taken"), {1}); }, at("taken"), {"directory"}, "write");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace gpuvae::io
