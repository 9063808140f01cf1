// load_dataset for tables: labels as text, chosen columns, and what is said about them.
#include <gtest/gtest.h>

#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;
using Names = std::vector<std::string>;

TEST(TableRows, ClassNamesAsText) {
  const TemporaryFolder folder;
  io::write_file(folder / "iris.csv",
                 "sepal length,species\n5.1,setosa\n7,versicolor\n6.3,\"virginica\"\n4.9,setosa\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "species";
  const Split split = load_dataset(folder / "iris.csv", options);
  EXPECT_EQ(split.train.labels, (Labels{0, 1, 2, 0}));
  EXPECT_EQ(split.description.class_names, (Names{"setosa", "versicolor", "virginica"}));
  EXPECT_EQ(split.description.label_column, "species");
  EXPECT_EQ(split.description.column_names, (Names{"sepal length"}));
  ASSERT_EQ(split.notes.size(), 1u);
  expect_contains(split.notes[0],
                  {"iris.csv: commas separate the columns, line 1 holds their names",
                   "the labels are in column 'species' (3 classes: setosa, versicolor, virginica)"});
  EXPECT_EQ(split.source, "iris.csv: 1 column, labels from 'species'");
}

TEST(TableRows, ClassNamesWithoutAHeader) {
  const TemporaryFolder folder;
  io::write_file(folder / "iris.txt", "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,versicolor\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "2";
  const Split split = load_dataset(folder / "iris.txt", options);
  EXPECT_EQ(split.train.examples.to_vector(), (std::vector<float>{5.1f, 3.5f, 4.9f, 3.0f, 7.0f, 3.2f}));
  EXPECT_EQ(split.train.labels, (Labels{0, 0, 1}));
  EXPECT_TRUE(split.description.column_names.empty());
}

TEST(TableRows, NumbersAreLabelsThemselvesAndMixturesAreText) {
  const TemporaryFolder folder;
  DatasetOptions options = kAllInTraining;
  options.label_column = "y";
  io::write_file(folder / "t.csv", "y,x\n7,1\n255,2\n2.0,3\n");
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.labels, (Labels{7, 255, 2}));
  EXPECT_TRUE(load_dataset(folder / "t.csv", options).description.class_names.empty());
  io::write_file(folder / "t.csv", "y,x\n7,1\n10,2\n7b,3\n");
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.labels, (Labels{1, 0, 2}));
  EXPECT_EQ(load_dataset(folder / "t.csv", options).description.class_names, (Names{"10", "7", "7b"}));
}

TEST(TableRows, AtMost256Classes) {
  const TemporaryFolder folder;
  DatasetOptions options = kAllInTraining;
  options.label_column = "y";
  std::string text = "y,x\n";
  for (int i = 0; i < 256; ++i) text += "c" + std::to_string(i) + ",1\n";
  io::write_file(folder / "t.csv", text);
  EXPECT_EQ(load_dataset(folder / "t.csv", options).description.class_names.size(), 256u);
  io::write_file(folder / "t.csv", text + "one more,1\n");
  expect_contains(loading_error(folder / "t.csv", options),
                  {"at most 256 classes in label column 'y', got 257"});
  for (int i = 0; i < 2000; ++i) text += "d" + std::to_string(i) + ",1\n";
  io::write_file(folder / "t.csv", text);
  expect_contains(loading_error(folder / "t.csv", options),
                  {"at most 256 classes in label column 'y', got more"});
}

TEST(TableRows, ColumnsAreChosenByNameOrNumber) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b,c,y\n1,2,3,0\n4,5,6,1\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "y";
  options.columns = {"c", "0"};
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{3, 1, 6, 4}));
  EXPECT_EQ(split.description.column_names, (Names{"c", "a"}));
  EXPECT_EQ(split.train.labels, (Labels{0, 1}));
  write_float_npy(folder / "x.npy", {2, 2}, {1, 2, 3, 4});
  expect_contains(loading_error(folder / "x.npy", {.columns = {"a"}}),
                  {"expected a table for the columns a"});
}

TEST(TableRows, TheHeaderCanBeGiven) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "0,1\n5,3\n7,4\n");
  DatasetOptions options = kAllInTraining;
  expect_contains(loading_error(folder / "t.csv", options), {"line 1 may be a header or a row"});
  options.header = Header::yes;
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.examples.to_doubles(), (Doubles{5, 3, 7, 4}));
  options.header = Header::no;
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.examples.to_doubles(), (Doubles{0, 1, 5, 3, 7, 4}));
}

// 80 rows below the header 0,1,2,3, which pandas writes for columns without names.
TEST(TableRows, AHeaderOfPandasIsNoRow) {
  const TemporaryFolder folder;
  std::string text = "0,1,2,3\n", indexed = ",0,1,2,3\n";
  for (int r = 0; r < 80; ++r) {
    const std::string row =
        std::to_string(r * 0.37) + "," + std::to_string(-r * 1.5) + ",0.25," + std::to_string(r % 5) + ".5\n";
    text += row;
    indexed += std::to_string(r) + "," + row;
  }
  io::write_file(folder / "t.csv", text);
  io::write_file(folder / "i.csv", indexed);
  const Split split = load_dataset(folder / "t.csv", kAllInTraining);
  EXPECT_EQ(split.train.count(), 80);
  EXPECT_EQ(split.description.column_names, (Names{"0", "1", "2", "3"}));
  EXPECT_EQ(split.notes.size(), 2u);
  const Split with_index = load_dataset(folder / "i.csv", kAllInTraining);
  EXPECT_EQ(with_index.train.examples.to_doubles(), split.train.examples.to_doubles());
  expect_contains(with_index.notes[0], {"the first column has no name and was left out as an index"});
}

TEST(TableRows, TablesOfPixelsAreBytes) {
  const TemporaryFolder folder;
  std::string text = "label";
  for (int c = 0; c < 16; ++c) text += ",pixel" + std::to_string(c);
  for (int r = 0; r < 3; ++r) {
    text += "\n" + std::to_string(r);
    for (int c = 0; c < 16; ++c) text += "," + std::to_string(255 - 16 * r - c);
  }
  io::write_file(folder / "t.csv", text + "\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "label";
  options.standardize = true;
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.train.examples.dtype(), DType::u8);
  EXPECT_EQ(split.train.examples.to_doubles()[17], 238);
  EXPECT_TRUE(split.description.standardization.empty());
  // Without the value 255, whole numbers are counts.
  options.columns = {"pixel1", "pixel2"};
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.examples.dtype(), DType::f32);
}

}  // namespace
}  // namespace gpuvae
