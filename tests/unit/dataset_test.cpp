#include "gpuvae/data.h"

#include <gtest/gtest.h>

#include <fstream>

#include "gpuvae/error.h"
#include "src/io/idx.h"
#include "tests/unit/temporary_folder.h"

namespace gpuvae {
namespace {

std::string error_of(const std::filesystem::path& folder) {
  try {
    load_mnist(folder);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

void write_set(const std::filesystem::path& folder, const char* prefix, int count, int side = 4) {
  io::write_idx_images(
      folder / (std::string(prefix) + "images-idx3-ubyte"),
      {count, side, side, std::vector<std::uint8_t>(static_cast<std::size_t>(count * side * side), 7)});
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
  EXPECT_EQ(split.train.pixels(), 16);
  EXPECT_EQ(split.train.labels[4], 3);
  EXPECT_EQ(split.train.slice(3, 2).labels.size(), 2u);
  EXPECT_TRUE(has_mnist(folder.path()));
}

TEST(LoadMnist, SaysWhichFileIsMissing) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(has_mnist(folder.path()));
  EXPECT_NE(error_of(folder.path()).find("train-images-idx3-ubyte"), std::string::npos);
  write_set(folder.path(), "train-", 5);
  EXPECT_NE(error_of(folder.path()).find("t10k-images-idx3-ubyte"), std::string::npos);
}

TEST(LoadMnist, LabelsMustFitTheImages) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), "train-", 5);
  write_set(folder.path(), "t10k-", 2);
  io::write_idx_labels(folder.path() / "train-labels-idx1-ubyte", {1, 2, 3});
  const std::string message = error_of(folder.path());
  EXPECT_NE(message.find("train-labels-idx1-ubyte: expected 5 labels"), std::string::npos) << message;
  EXPECT_NE(message.find("got 3"), std::string::npos);
}

TEST(LoadMnist, TrainingAndTestImagesMustHaveOneSize) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), "train-", 5);
  write_set(folder.path(), "t10k-", 2, 5);
  EXPECT_NE(error_of(folder.path()).find("expected test images of 4x4"), std::string::npos);
}

TEST(ProceduralMnist, IsSplitLikeTheOriginal) {
  const Split split = procedural_mnist(100, 50);
  EXPECT_EQ(split.train.count(), 100);
  EXPECT_EQ(split.test.count(), 50);
  EXPECT_NE(split.train.slice(0, 1).images.to_vector(), split.test.slice(0, 1).images.to_vector());
}

}  // namespace
}  // namespace gpuvae
