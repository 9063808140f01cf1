#include "gpuvae/data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "gpuvae/error.h"
#include "src/io/file.h"
#include "src/io/idx.h"
#include "tests/error_message.h"
#include "tests/io/mat_bytes.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

std::string mnist_error(const std::filesystem::path& folder) {
  return test::message_of([&] { static_cast<void>(load_mnist(folder)); });
}

void write_set(const std::filesystem::path& folder, const char* prefix, int count, int side = 4) {
  io::write_idx_images(folder / (std::string(prefix) + "images-idx3-ubyte"), {count, side, side},
                       std::vector<std::uint8_t>(static_cast<std::size_t>(count * side * side), 7));
  io::write_idx_labels(folder / (std::string(prefix) + "labels-idx1-ubyte"),
                       std::vector<std::uint8_t>(static_cast<std::size_t>(count), 3));
}

TEST(LoadMnist, ReadsTheFourFiles) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), "train-", 5);
  write_set(folder.path(), "t10k-", 2);
  const Split split = load_mnist(folder.path());
  EXPECT_EQ(split.train.count(), 5);
  EXPECT_EQ(split.test.count(), 2);
  EXPECT_EQ(split.train.features(), 16);
  EXPECT_EQ(split.train.labels[4], 3);
  EXPECT_EQ(split.train.slice(3, 2).labels.size(), 2u);
  EXPECT_TRUE(has_mnist(folder.path()));
}

TEST(LoadMnist, SaysWhichFileIsMissing) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(has_mnist(folder.path()));
  EXPECT_NE(mnist_error(folder.path()).find("train-images-idx3-ubyte"), std::string::npos);
  write_set(folder.path(), "train-", 5);
  EXPECT_NE(mnist_error(folder.path()).find("t10k-images-idx3-ubyte"), std::string::npos);
}

TEST(LoadMnist, LabelsMustFitTheImages) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), "train-", 5);
  write_set(folder.path(), "t10k-", 2);
  io::write_idx_labels(folder.path() / "train-labels-idx1-ubyte", {1, 2, 3});
  const std::string message = mnist_error(folder.path());
  EXPECT_NE(message.find("train-labels-idx1-ubyte: expected 5 labels"), std::string::npos) << message;
  EXPECT_NE(message.find("got 3"), std::string::npos);
}

TEST(LoadMnist, TrainingAndTestImagesMustHaveOneSize) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), "train-", 5);
  write_set(folder.path(), "t10k-", 2, 5);
  EXPECT_NE(mnist_error(folder.path()).find("expected test images of 4x4"), std::string::npos);
}

TEST(ProceduralMnist, IsSplitLikeTheOriginal) {
  const Split split = procedural_mnist(100, 50);
  EXPECT_EQ(split.train.count(), 100);
  EXPECT_EQ(split.test.count(), 50);
  EXPECT_NE(split.train.slice(0, 1).examples.to_vector(), split.test.slice(0, 1).examples.to_vector());
}

void write_frey(const std::filesystem::path& path, std::size_t rows, std::size_t columns,
                const char* name = "ff") {
  std::string bytes(rows * columns, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i / rows * 3 + i % rows);
  const std::vector<std::int32_t> dims{static_cast<std::int32_t>(rows), static_cast<std::int32_t>(columns)};
  const io::mat_bytes::Matrix matrix{.name = name, .dims = dims, .data = bytes};
  io::write_file(path, io::mat_bytes::header() + matrix.bytes());
}

TEST(LoadFrey, ReadsOneFacePerColumnFromAFileOrAFolder) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(has_frey(folder.path()));
  const auto path = folder / "frey_rawface.mat";
  write_frey(path, 560, 1965);
  EXPECT_TRUE(has_frey(folder.path()));
  for (const auto& from : {path, folder.path()}) {
    const Split split = load_frey(from);
    EXPECT_EQ(split.train.count(), 1800);
    EXPECT_EQ(split.test.count(), 165);
    EXPECT_EQ(split.train.height, 28);
    EXPECT_EQ(split.train.width, 20);
    EXPECT_EQ(split.source, "Frey Face from " + path.string());
    EXPECT_TRUE(split.train.factors.empty() && split.train.labels.empty());
    // Pixel p of face i is 3 i + p; columns of the file became rows, in order.
    EXPECT_EQ(split.train.examples.data_as<std::uint8_t>()[2 * 560 + 41], 6 + 41);
    EXPECT_EQ(split.test.examples.data_as<std::uint8_t>()[7], static_cast<std::uint8_t>(3 * 1800 + 7));
  }
}

TEST(LoadFrey, OtherCountsAreSplitProportionally) {
  const test::TemporaryFolder folder;
  const std::size_t counts[][2] = {{2, 1}, {3, 2}, {131, 120}, {3930, 3600}};
  for (const auto& [count, train] : counts) {
    write_frey(folder / "some.mat", 560, count);
    const Split split = load_frey(folder / "some.mat");
    EXPECT_EQ(split.train.count(), static_cast<std::int64_t>(train));
    EXPECT_EQ(split.train.count() + split.test.count(), static_cast<std::int64_t>(count));
  }
}

TEST(LoadFrey, ErrorsNameTheProblem) {
  const test::TemporaryFolder folder;
  const auto path = folder / "frey_rawface.mat";
  const auto message = [&] { return test::error_of([&] { static_cast<void>(load_frey(folder.path())); }); };
  EXPECT_NE(message().find("[read] " + path.string() + ": No such file"), std::string::npos);
  write_frey(path, 560, 1);
  EXPECT_EQ(message(), "[frey] " + path.string() + ": expected ff of 560 x n (n >= 2), got 560 x 1");
  write_frey(path, 1965, 560);
  EXPECT_EQ(message(), "[frey] " + path.string() + ": expected ff of 560 x n (n >= 2), got 1965 x 560");
  write_frey(path, 560, 4, "faces");
  EXPECT_EQ(message(),
            "[read] " + path.string() + ": expected a variable 'ff', got 'faces' (uint8, 560 x 4)");
}

// Tests the published file if it is available.
TEST(LoadFrey, ReadsThePublishedFile) {
  const char* folder = std::getenv("GPUVAE_DATA_DIR");
  if (folder == nullptr || !has_frey(folder)) GTEST_SKIP() << "no frey_rawface.mat";
  const Split split = load_frey(folder);
  ASSERT_EQ(split.train.count(), 1800);
  ASSERT_EQ(split.test.count(), 165);
  double sum = 0;
  int low = 255, high = 0;
  for (const Dataset* part : {&split.train, &split.test})
    for (std::int64_t i = 0; i < part->examples.elements(); ++i) {
      const int value = part->examples.data_as<std::uint8_t>()[i];
      sum += value;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  EXPECT_EQ(low, 8);
  EXPECT_EQ(high, 238);
  EXPECT_NEAR(sum / (560 * 1965), 154.46, 0.005);
}

}  // namespace
}  // namespace gpuvae
