// load_dataset for each format: arrays, tables, IDX files and folders of images.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <numeric>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

// ---- arrays ----

struct ShapeCase {
  const char* text;
  std::vector<std::int64_t> shape;
  int height, width;
};
const ShapeCase kShapes[] = {
    {"(2, 12)", {2, 12}, 1, 12},           {"(2, 3, 4)", {2, 3, 4}, 3, 4},
    {"(2, 3, 4, 1)", {2, 3, 4, 1}, 3, 4},  {"(2, 1, 3, 4)", {2, 1, 3, 4}, 3, 4},
    {"(2, 2, 2, 3)", {2, 2, 2, 3}, 1, 12}, {"(2, 1, 2, 2, 3)", {2, 1, 2, 2, 3}, 1, 12}};

TEST(LoadNpy, ShapesOfBytesAndFloats) {
  const TemporaryFolder folder;
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 60.0f);
  const Doubles expected(values.begin(), values.end());
  for (const ShapeCase& shape : kShapes) {
    SCOPED_TRACE(shape.text);
    write_byte_npy(folder / "b.npy", shape.text, std::string(values.begin(), values.end()));
    write_float_npy(folder / "f.npy", shape.shape, values);
    // Whole numbers of images are bytes in every type; few columns of small numbers are not.
    const DType floats = shape.height > 1 ? DType::u8 : DType::f32;
    for (const auto& [name, dtype] : {std::pair("b.npy", DType::u8), {"f.npy", floats}}) {
      const Dataset set = load_dataset(folder / name, kAllInTraining).train;
      EXPECT_EQ(set.examples.dtype(), dtype);
      EXPECT_EQ(set.examples.shape(), (Shape{2, 12}));
      EXPECT_EQ(set.examples.to_doubles(), expected);
      EXPECT_EQ(set.height, shape.height);
      EXPECT_EQ(set.width, shape.width);
      EXPECT_TRUE(set.labels.empty());
    }
  }
  EXPECT_EQ(load_dataset(folder / "b.npy", kAllInTraining).source, "b.npy: 1 x 2 x 2 x 3 bytes");
}

TEST(LoadNpy, UnsuitableArraysAreErrors) {
  const TemporaryFolder folder;
  write_float_npy(folder / "x.npy", {4}, {1, 2, 3, 4});
  expect_contains(loading_error(folder / "x.npy"), {"2 or more dimensions, rows first, got (4)"});
  write_float_npy(folder / "x.npy", {2, 0}, {});
  expect_contains(loading_error(folder / "x.npy"), {"rows of 1 to 2^31-1 values, got 0"});
  write_float_npy(folder / "x.npy", {2, 0, 3}, {});
  expect_contains(loading_error(folder / "x.npy"), {"rows of 1 to 2^31-1 values, got 0"});
  write_float_npy(folder / "x.npy", {2, 2}, {1, 2, 3, -INFINITY});
  expect_contains(loading_error(folder / "x.npy"),
                  {"expected finite values, got -inf in row 1, column 1 (from 0)"});
  write_float_npy(folder / "x.npy", {3, 2}, {1, 2, NAN, 4, 5, 6});
  expect_contains(loading_error(folder / "x.npy"), {"got nan in row 1, column 0"});
  expect_contains(loading_error(folder / "x.npy", {.label_column = "0"}),
                  {"expected a table for label column '0'"});
}

// ---- tables ----

TEST(LoadTable, LabelsByNameAndByNumber) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "2,a,b\n255,1,2\n0,3,4\n");
  for (const char* column : {"a", "1"}) {
    DatasetOptions options = kAllInTraining;
    options.label_column = column;
    const Dataset set = load_dataset(folder / "t.csv", options).train;
    EXPECT_EQ(set.labels, (Labels{1, 3}));
    EXPECT_EQ(set.examples.to_doubles(), (Doubles{255, 2, 0, 4}));
  }
  DatasetOptions options = kAllInTraining;
  options.label_column = "2";  // column names take precedence over column numbers
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.labels, (Labels{255, 0}));
}

TEST(LoadTable, BadLabels) {
  const TemporaryFolder folder;
  const auto path = folder / "t.csv";
  io::write_file(path, "mass,class\n1,0\n2,1\n");
  expect_contains(loading_error(path, {.label_column = "kind"}),
                  {"expected label column 'kind' among the 2 columns, got mass, class"});
  for (const char* column : {"2", "-1", "0.5", "1x"})
    expect_contains(loading_error(path, {.label_column = column}), {"among the 2 columns"});
  for (const std::string label : {"-1", "256", "0.5", "inf"}) {
    io::write_file(path, "mass,class\n1,0\n2," + label + "\n");
    expect_contains(
        loading_error(path, {.label_column = "class"}),
        {"whole numbers from 0 to 255 as labels, got " + label, "row 1 (from 0), column 'class'"});
  }
  io::write_file(path, "class\n1\n0\n");
  expect_contains(loading_error(path, {.label_column = "class"}), {"expected columns beside the labels"});
}

TEST(LoadTable, ErrorsAbbreviateLongColumnLists) {
  const TemporaryFolder folder;
  std::string row = "1";
  for (int i = 1; i < 60; ++i) row += ",1";
  io::write_file(folder / "t.csv", row + "\n" + row + "\n");
  expect_contains(loading_error(folder / "t.csv", {.label_column = "x"}),
                  {"the 60 columns, got 0, 1", "48, 49, ..."});
}

TEST(LoadTable, ErrorsLocateInfiniteValues) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "class,mass,width\n0,1,2\n1,3,inf\n");
  expect_contains(loading_error(folder / "t.csv", {.label_column = "class"}),
                  {"expected finite values, got inf in row 1, column 1 ('width') (from 0)"});
}

TEST(LoadTable, AcceptsEveryTableExtension) {
  const TemporaryFolder folder;
  for (const char* name : {"t.csv", "t.tsv", "t.txt", "T.CSV"}) {
    io::write_file(folder / name, "1 2\n3 4\n");
    EXPECT_EQ(load_dataset(folder / name, kAllInTraining).train.examples.to_doubles(), (Doubles{1, 2, 3, 4}));
  }
  const gzFile out = gzopen((folder / "z.tsv.gz").c_str(), "wb");
  gzputs(out, "1\t2\n3\t4\n");
  ASSERT_EQ(gzclose(out), Z_OK);
  EXPECT_EQ(load_dataset(folder / "z.tsv.gz", kAllInTraining).source, "z.tsv.gz: 2 columns");
  io::write_file(folder / "bad.csv", "1,2\n3,x\n");
  expect_contains(loading_error(folder / "bad.csv"), {"line 2, column 1", "'x'"});
}

// ---- IDX ----

TEST(LoadIdx, OneFileWithTheLabelsBesideIt) {
  const TemporaryFolder folder;
  io::write_idx_images(folder / "some-images-idx3-ubyte", {3, 1, 2}, {1, 2, 3, 4, 5, 6});
  Split split = load_dataset(folder / "some-images-idx3-ubyte", kAllInTraining);
  EXPECT_TRUE(split.train.labels.empty());
  EXPECT_EQ(split.train.examples.dtype(), DType::u8);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(split.train.width, 2);
  EXPECT_EQ(split.source, "some-images-idx3-ubyte: 1 x 2 bytes");
  io::write_idx_labels(folder / "some-labels-idx1-ubyte", {7, 8, 9});
  EXPECT_EQ(load_dataset(folder / "some-images-idx3-ubyte", kAllInTraining).train.labels, (Labels{7, 8, 9}));
  io::write_idx_labels(folder / "some-labels-idx1-ubyte", {7, 8});
  expect_contains(error_of([&] { static_cast<void>(load_dataset(folder / "some-images-idx3-ubyte")); }),
                  {"some-labels-idx1-ubyte: expected 3 labels", "got 2"});
}

TEST(LoadIdx, GzipAndNeutralNames) {
  const TemporaryFolder folder;
  io::write_idx_images(folder / "plain", {2, 2, 1}, {1, 2, 3, 4});
  const std::string bytes = io::read_file(folder / "plain");
  const gzFile out = gzopen((folder / "a-images.gz").c_str(), "wb");
  gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
  ASSERT_EQ(gzclose(out), Z_OK);
  io::write_idx_labels(folder / "a-labels", {5, 6});
  EXPECT_EQ(load_dataset(folder / "plain", kAllInTraining).train.examples.to_doubles(),
            (Doubles{1, 2, 3, 4}));
  EXPECT_EQ(load_dataset(folder / "a-images.gz", kAllInTraining).train.labels, (Labels{5, 6}));
  expect_contains(error_of([&] { static_cast<void>(load_dataset(folder / "a-labels")); }),
                  {"expected magic 2051", "got 2049"});
}

TEST(LoadIdx, TheFourFilesOfAFolder) {
  const TemporaryFolder folder;
  for (const char* prefix : {"train-", "t10k-"}) {
    io::write_idx_images(folder / (prefix + "images-idx3-ubyte"s), {4, 1, 1}, {1, 2, 3, 4});
    io::write_idx_labels(folder / (prefix + "labels-idx1-ubyte"s), {5, 6, 7, 8});
  }
  const Split split = load_dataset(folder.path(), {.max_rows = 3});
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{1, 2, 3}));
  EXPECT_EQ(split.test.labels, (Labels{5, 6, 7}));
  // The validation rows come from the test files, not from the training files.
  EXPECT_EQ(load_dataset(folder.path()).train.count(), 4);
  EXPECT_EQ(load_dataset(folder.path(), {.standardize = true}).train.examples.dtype(), DType::u8);
  expect_contains(loading_error(folder.path(), {.label_column = "x"}), {"expected a table"});
}

// ---- folders of images ----

TEST(LoadImages, SortsByNameAndSkipsHiddenFiles) {
  const TemporaryFolder folder;
  for (const auto& [name, value] : {std::pair("b.png", 2), {"a.png", 1}, {"c.png", 3}})
    write_picture(folder / name, 2, 1, static_cast<std::uint8_t>(value));
  io::write_file(folder / ".hidden", "no picture");
  io::write_file(folder / "d.pgm", "P5 2 1 255\n\x04\x05");
  io::write_file(folder / "e.ppm", "P6 2 1 255\n\xFF\xFF\xFF\x00\xFF\x00"s);
  const Split split = load_dataset(folder.path(), kAllInTraining);
  EXPECT_EQ(split.train.examples.dtype(), DType::u8);
  // The luminance of green is 0.587, and 0.587 * 255 is 149.7.
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{1, 1, 2, 2, 3, 3, 4, 5, 255, 150}));
  EXPECT_EQ(split.train.height, 1);
  EXPECT_EQ(split.train.width, 2);
  EXPECT_TRUE(split.train.labels.empty());
  EXPECT_EQ(split.source, folder.path().filename().string() + ": images of 1 x 2");
  EXPECT_EQ(load_dataset(folder.path() / "", kAllInTraining).source, split.source);
}

TEST(LoadImages, SubFoldersAreClasses) {
  const TemporaryFolder folder;
  for (const char* name : {"dog", "cat", ".cache"}) std::filesystem::create_directory(folder / name);
  write_picture(folder.path() / "dog" / "1.png", 1, 1, 10);
  write_picture(folder.path() / "cat" / "1.png", 1, 1, 20);
  write_picture(folder.path() / "cat" / "2.png", 1, 1, 30);
  DatasetOptions options = kAllInTraining;
  const Split split = load_dataset(folder.path(), options);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{20, 30, 10}));
  EXPECT_EQ(split.train.labels, (Labels{0, 0, 1}));
  expect_contains(split.source, {": images of 1 x 1, 2 classes (cat, dog)"});
  EXPECT_EQ(split.description.class_names, (std::vector<std::string>{"cat", "dog"}));
  options.max_rows = 2;
  EXPECT_EQ(load_dataset(folder.path(), options).train.labels, (Labels{0, 0}));
}

TEST(LoadImages, AllImagesMustHaveOneSize) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png", 3, 2, 0);
  write_picture(folder / "b.png", 2, 3, 0);
  write_picture(folder / "c.png", 9, 9, 0);
  expect_contains(loading_error(folder.path()), {"b.png: expected 2 x 3 pixels", "like a.png, got 3 x 2"});
}

TEST(LoadImages, FoldersThatAreNotDatasets) {
  const TemporaryFolder folder;
  expect_contains(loading_error(folder.path()), {"expected images, got an empty folder"});
  io::write_file(folder / ".hidden", "");
  expect_contains(loading_error(folder.path()), {"expected images, got an empty folder"});
  std::filesystem::create_directory(folder / "sub");
  expect_contains(loading_error(folder.path()), {"sub: expected images, got an empty folder"});
  std::filesystem::create_directory(folder.path() / "sub" / "deeper");
  expect_contains(loading_error(folder.path()), {"deeper: expected an image, got a folder"});
  write_picture(folder / "a.png", 1, 1, 0);
  expect_contains(
      loading_error(folder.path()),
      {"either images or sub-folders (classes), got the sub-folder sub and beside it the file a.png"});
  std::filesystem::remove_all(folder / "sub");
  io::write_file(folder / "notes.md", "text");
  expect_contains(loading_error(folder.path()), {"notes.md: not a readable PNG, JPEG, BMP or PNM image"});
}

TEST(LoadImages, AtMost256Classes) {
  const TemporaryFolder folder;
  for (int i = 0; i < 257; ++i) std::filesystem::create_directory(folder / std::to_string(i));
  expect_contains(loading_error(folder.path()), {"expected at most 256 classes, got 257"});
}

}  // namespace
}  // namespace gpuvae
