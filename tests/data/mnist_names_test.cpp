// load_mnist: the names of MNIST's relatives, folders without labels, and QMNIST's labels.
#include <gtest/gtest.h>
#include <zlib.h>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

constexpr std::uint8_t kFirst = 10;

void write_images(const std::filesystem::path& path, std::uint8_t first) {
  io::write_idx_images(path, {2, 1, 2}, {first, static_cast<std::uint8_t>(first + 1), 0, 255});
}

// Rows of 32-bit integers, of which the first is the label, as in QMNIST.
void write_records(const std::filesystem::path& path, const std::vector<std::array<std::int32_t, 8>>& rows) {
  std::string bytes = {0, 0, 0x0C, 2};
  const auto append = [&](std::uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift & 255);
  };
  append(static_cast<std::uint32_t>(rows.size()));
  append(8);
  for (const auto& row : rows)
    for (const std::int32_t value : row) append(static_cast<std::uint32_t>(value));
  io::write_file(path, bytes);
}

void compress(const std::filesystem::path& path) {
  const std::string bytes = io::read_file(path);
  const gzFile out = gzopen((path.string() + ".gz").c_str(), "wb");
  gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
  std::filesystem::remove(path);
}

struct MnistNames {
  std::string train_images, train_labels, test_images, test_labels, source;
};
const MnistNames kNames[] = {
    {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
     "MNIST"},
    {"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte",
     "MNIST"},
    {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "test-images-idx3-ubyte", "test-labels-idx1-ubyte",
     "MNIST"},
    {"emnist-digits-train-images-idx3-ubyte", "emnist-digits-train-labels-idx1-ubyte",
     "emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte", "emnist-digits"},
    {"kmnist-train-images-idx3-ubyte", "kmnist-train-labels-idx1-ubyte", "kmnist-t10k-images-idx3-ubyte",
     "kmnist-t10k-labels-idx1-ubyte", "kmnist"}};

TEST(MnistNames, EveryPublishedSpelling) {
  for (const MnistNames& names : kNames)
    for (const bool packed : {false, true})
      for (const bool labels : {true, false}) {
        SCOPED_TRACE(names.train_images + (packed ? ".gz" : "") + (labels ? "" : " without labels"));
        const TemporaryFolder folder;
        write_images(folder / names.train_images, kFirst);
        write_images(folder / names.test_images, 20);
        if (labels) {
          io::write_idx_labels(folder / names.train_labels, {3, 4});
          io::write_idx_labels(folder / names.test_labels, {5, 6});
        }
        if (packed)
          for (const std::string& name : folder.names()) compress(folder / name);
        EXPECT_TRUE(has_mnist(folder.path()));
        for (const Split& split : {load_mnist(folder.path()), load_dataset(folder.path())}) {
          EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{10, 11, 0, 255}));
          EXPECT_EQ(split.test.examples.to_doubles(), (Doubles{20, 21, 0, 255}));
          EXPECT_EQ(split.train.labels, labels ? (Labels{3, 4}) : Labels{});
          EXPECT_EQ(split.test.labels, labels ? (Labels{5, 6}) : Labels{});
          EXPECT_EQ(split.source, names.source + " from " + folder.path().string());
          std::string notes;
          for (const std::string& note : split.notes) notes += note;
          EXPECT_EQ(notes.find("there are no labels") != std::string::npos, !labels);
          EXPECT_EQ(notes.find("rows and columns swapped") != std::string::npos,
                    names.source == "emnist-digits");
        }
      }
}

TEST(MnistNames, QmnistsLabelsAreTheFirstColumn) {
  const TemporaryFolder folder;
  write_images(folder / "qmnist-train-images-idx3-ubyte", kFirst);
  write_images(folder / "qmnist-test-images-idx3-ubyte", 20);
  write_records(folder / "qmnist-train-labels-idx2-int",
                {{5, 0, 1, 2, 3, 4, 5, 6}, {9, 1, 0, 0, -1, 0, 0, 0}});
  write_records(folder / "qmnist-test-labels-idx2-int", {{7, 4, 1, 2, 3, 4, 5, 6}, {0, 1, 0, 0, 0, 0, 0, 0}});
  const Split split = load_dataset(folder.path());
  EXPECT_EQ(split.train.labels, (Labels{5, 9}));
  EXPECT_EQ(split.test.labels, (Labels{7, 0}));
  EXPECT_EQ(split.source, "qmnist from " + folder.path().string());
  // Also beside a single file of images.
  EXPECT_EQ(load_dataset(folder / "qmnist-test-images-idx3-ubyte", kAllInTraining).train.labels,
            (Labels{7, 0}));
  compress(folder / "qmnist-test-labels-idx2-int");
  EXPECT_EQ(load_dataset(folder / "qmnist-test-images-idx3-ubyte", kAllInTraining).train.labels,
            (Labels{7, 0}));
  write_records(folder / "qmnist-train-labels-idx2-int",
                {{5, 0, 1, 2, 3, 4, 5, 6}, {-1, 1, 0, 0, -1, 0, 0, 0}});
  expect_contains(error_of([&] { static_cast<void>(load_mnist(folder.path())); }),
                  {"qmnist-train-labels-idx2-int: expected labels from 0 to 255, got -1 in row 1"});
  write_records(folder / "qmnist-train-labels-idx2-int", {{5, 0, 1, 2, 3, 4, 5, 6}});
  expect_contains(error_of([&] { static_cast<void>(load_mnist(folder.path())); }),
                  {"qmnist-train-labels-idx2-int: expected 2 labels", "got 1"});
}

TEST(MnistNames, SeveralDataSetsInAFolderAreNamed) {
  const TemporaryFolder folder;
  for (const char* set : {"emnist-digits-", "emnist-letters-"})
    for (const char* part : {"train", "test"})
      write_images(folder / (std::string(set) + part + "-images-idx3-ubyte"), kFirst);
  expect_contains(error_of([&] { static_cast<void>(load_mnist(folder.path())); }),
                  {"expected the files of one data set, got emnist-digits-, emnist-letters-"});
  // MNIST's own names take precedence.
  for (const char* part : {"train", "t10k"}) write_images(folder / (part + "-images-idx3-ubyte"s), 30);
  EXPECT_EQ(load_mnist(folder.path()).train.examples.to_doubles(), (Doubles{30, 31, 0, 255}));
}

TEST(MnistNames, LabelsOfOnePartOnlyAreAnError) {
  for (const std::string with : {"train", "t10k"}) {
    const std::string without = with == "train" ? "t10k" : "train";
    const TemporaryFolder folder;
    for (const char* part : {"train", "t10k"}) write_images(folder / (part + "-images-idx3-ubyte"s), kFirst);
    io::write_idx_labels(folder / (with + "-labels-idx1-ubyte"), {3, 4});
    expect_contains(
        error_of([&] { static_cast<void>(load_mnist(folder.path())); }),
        {"[mnist] " + folder.path().string() + ": expected " + without + "-labels-idx1-ubyte or"});
  }
}

}  // namespace
}  // namespace gpuvae
