// load_dataset for MATLAB files: which matrix is read, and which of its dimensions are the examples.
#include <cmath>
#include <numeric>

#include "tests/data/dataset_files.h"
#include "tests/io/mat_bytes.h"

namespace gpuvae {
namespace {

using namespace test;
using io::mat_bytes::Matrix;
using Doubles = std::vector<double>;

class MatRows : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "x.mat"; }
  void put(const Matrix& m) const { io::write_file(path(), io::mat_bytes::header() + m.bytes()); }
  // Writes the doubles 0, 1, 2, ..., which MATLAB stores column by column.
  void put_ramp(const std::vector<std::int32_t>& dims, const std::string& name = "X") const {
    Doubles values(std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>()));
    std::iota(values.begin(), values.end(), 0);
    put({.name = name,
         .kind = io::mat_bytes::f64,
         .type = io::mat_bytes::real,
         .dims = dims,
         .data = io::mat_bytes::numbers(values)});
  }
  Split load(const std::string& variable = {}) const {
    return load_dataset(path(), {.variable = variable, .validation_fraction = 0});
  }
  // Loads the file for a model of rows or images of this size.
  Split load_for(int height, int width, const std::string& variable = {},
                 ValueKind kind = ValueKind::any) const {
    DataDescription like{.height = height, .width = width};
    like.values = {kind, 0, 255, false};
    return load_like(path(), like, Header::automatic, variable);
  }
  // The first note, without the path.
  std::string note(const Split& split) const {
    const std::string start = path().string() + ": ";
    if (split.notes.empty() || !split.notes[0].starts_with(start)) return "no note";
    return split.notes[0].substr(start.size());
  }
  TemporaryFolder folder_;
};

TEST_F(MatRows, RowsAreExamplesUnlessSomethingElseIsCertain) {
  put_ramp({2, 3});
  const Split split = load();
  EXPECT_EQ(split.train.examples.dtype(), DType::f32);
  EXPECT_EQ(split.train.examples.shape(), (Shape{2, 3}));
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 2, 4, 1, 3, 5}));
  EXPECT_EQ(split.train.height, 1);
  EXPECT_EQ(split.train.width, 3);
  EXPECT_EQ(split.source, "x.mat: 1 x 3 numbers");
  EXPECT_EQ(note(split),
            "'X' (double, 2 x 3) has one example per row (--variable \"X'\" takes one per column)");
}

TEST_F(MatRows, AnApostropheTransposes) {
  put_ramp({2, 3});
  const Split split = load("X'");
  EXPECT_EQ(split.train.examples.shape(), (Shape{3, 2}));
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(note(split), "'X' (double, 2 x 3) has one example per column, as requested");
}

TEST_F(MatRows, TheShapeOfAModelsDataDecides) {
  put_ramp({2, 3});
  EXPECT_EQ(load_for(1, 3).train.examples.to_doubles(), (Doubles{0, 2, 4, 1, 3, 5}));
  const Split columns = load_for(1, 2);
  EXPECT_EQ(columns.train.examples.to_doubles(), (Doubles{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(note(columns),
            "'X' (double, 2 x 3) has one example per column, because 2 values per example are expected");
  expect_contains(error_of([&] { load_for(1, 7); }),
                  {"expected 7 values per row, like the training data, got 3"});
  expect_contains(error_of([&] { load_for(1, 3, "X'"); }), {"expected 3 values per row"});
  put_ramp({2, 3, 4});
  EXPECT_EQ(load_for(2, 3).train.count(), 4);
  const Split images = load_for(3, 4);
  EXPECT_EQ(images.train.count(), 2);
  EXPECT_EQ(images.train.examples.to_doubles()[1], 6);
  expect_contains(error_of([&] { load_for(3, 2); }),
                  {"expected images of 3 x 2 (height x width), like the training data, got 2 x 3"});
}

TEST_F(MatRows, BytesStayBytesAndOtherIntegersBecomeFloats) {
  put({.dims = {2, 2}, .data = std::string("\x01\xFF\x02\x03", 4)});
  EXPECT_EQ(load().train.examples.dtype(), DType::u8);
  EXPECT_EQ(load().train.examples.to_doubles(), (Doubles{1, 2, 255, 3}));
  put({.kind = io::mat_bytes::i16,
       .type = io::mat_bytes::int16,
       .dims = {2, 1},
       .data = io::mat_bytes::numbers<std::int16_t>({-5, 300})});
  EXPECT_EQ(load().train.examples.dtype(), DType::f32);
  EXPECT_EQ(load().train.examples.to_doubles(), (Doubles{-5, 300}));
  put({.dims = {1, 2}, .data = std::string("\x01\0", 2), .flags = io::mat_bytes::kLogical});
  EXPECT_EQ(load().train.examples.to_doubles(), (Doubles{1, 0}));
}

TEST_F(MatRows, ImagesInThreeDimensions) {
  const Doubles last = {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11};  // images [2, 2, 3] of MATLAB, row by row
  put_ramp({2, 2, 3});
  Split split = load();
  EXPECT_EQ(split.train.height, 2);
  EXPECT_EQ(split.train.width, 2);
  EXPECT_EQ(split.train.examples.to_doubles(), last);
  EXPECT_EQ(note(split), "'X' (double, 2 x 2 x 3) has one 2 x 2 image per index of the last dimension");
  put_ramp({2, 2, 1, 3});
  EXPECT_EQ(load().train.examples.to_doubles(), last);
  put_ramp({3, 2, 2});
  split = load();
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11}));
  EXPECT_EQ(note(split), "'X' (double, 3 x 2 x 2) has one 2 x 2 image per index of the first dimension");
  put_ramp({2, 3, 4});
  split = load();
  EXPECT_EQ(split.train.count(), 4);
  EXPECT_EQ(split.train.height, 2);
  EXPECT_EQ(split.train.width, 3);
}

TEST_F(MatRows, FreyFaceHasAFacePerColumn) {
  std::string bytes;
  for (int i = 0; i < 560 * 120; ++i) bytes += static_cast<char>(i / 560 + i % 560);
  put({.dims = {560, 120}, .data = bytes});
  const Split all = load_for(28, 20, "", ValueKind::bytes);
  EXPECT_EQ(all.train.count(), 120);
  EXPECT_EQ(all.train.height, 28);
  EXPECT_EQ(all.train.width, 20);
  EXPECT_EQ(all.train.examples.to_doubles()[560 * 7 + 41], 48);
  EXPECT_EQ(note(all), "'ff' (uint8, 560 x 120) has one 28 x 20 image per column, as in Frey Face");
  const Split split = load_dataset(path()), frey = load_frey(path());
  EXPECT_EQ(split.source, frey.source);
  EXPECT_EQ(split.train.count(), frey.train.count());
  EXPECT_EQ(split.test.examples.to_doubles(), frey.test.examples.to_doubles());
  EXPECT_EQ(split.test.row_number(0), split.train.count());
  EXPECT_EQ(frey.test.row_number(0), frey.train.count());
  put_ramp({560, 3}, "ff");
  EXPECT_EQ(load().train.count(), 3);
  EXPECT_EQ(load().train.height, 28);
  put_ramp({560, 3}, "X");
  EXPECT_EQ(load().train.count(), 560);
}

TEST_F(MatRows, ErrorsNameTheProblem) {
  put_ramp({2, 3, 4});
  expect_contains(loading_error(path(), {.variable = "X'"}),
                  {"expected 'X' to have two dimensions to be transposed, got 2 x 3 x 4"});
  expect_contains(loading_error(path(), {.variable = "Y"}),
                  {"expected a variable 'Y', got 'X' (double, 2 x 3 x 4)"});
  put_ramp({2, 3, 4, 5});
  expect_contains(loading_error(path()), {"images of one channel in three dimensions, got 2 x 3 x 4 x 5"});
  expect_contains(loading_error(path(), {.label_column = "y"}), {"expected a table for label column 'y'"});
  put({.kind = io::mat_bytes::f64,
       .type = io::mat_bytes::real,
       .dims = {2, 2},
       .data = io::mat_bytes::numbers<double>({1, 2, INFINITY, 4})});
  expect_contains(loading_error(path()), {"expected finite values, got inf in row 0, column 1"});
}

}  // namespace
}  // namespace gpuvae
