// load_like: other data for a model are matched by name, shape and range, or refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/io/idx.h"
#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;

std::string error_like(const std::filesystem::path& path, const DataDescription& like) {
  const std::string message = error_of([&] { static_cast<void>(load_like(path, like)); });
  EXPECT_EQ(message.find("[read] " + path.string()), 0u) << message;
  return message;
}

// A table of 40 rows: a = r, b = r^2, c = -r, and the class r mod 2.
std::string table(const std::vector<std::string>& order, int rows = 40) {
  std::string text;
  for (const std::string& name : order) text += (text.empty() ? "" : ",") + name;
  for (int r = 0; r < rows; ++r) {
    text += "\n";
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::string& name = order[i];
      text += i > 0 ? "," : "";
      text += name == "y"   ? (r % 2 ? "odd" : "even")
              : name == "b" ? std::to_string(r * r) + ".5"
              : name == "c" ? std::to_string(-r)
                            : std::to_string(r);
    }
  }
  return text + "\n";
}

class LikeTable : public testing::Test {
 protected:
  LikeTable() {
    io::write_file(folder / "t.csv", table({"a", "b", "y", "c"}));
    DatasetOptions options = kAllInTraining;
    options.label_column = "y";
    options.standardize = true;
    split = load_dataset(folder / "t.csv", options);
  }
  const TemporaryFolder folder;
  Split split;
};

TEST_F(LikeTable, ColumnsAreMatchedByName) {
  const Doubles expected = split.train.examples.to_doubles();
  for (const auto& order : std::vector<std::vector<std::string>>{
           {"a", "b", "y", "c"}, {"c", "b", "a"}, {"y", "c", "a", "b"}, {"b", "more", "c", "a", "extra"}}) {
    io::write_file(folder / "other.csv", table(order));
    const Split other = load_like(folder / "other.csv", split.description);
    EXPECT_EQ(other.train.examples.to_doubles(), expected);
    EXPECT_EQ(other.test.count(), 0);
    EXPECT_EQ(other.train.row_number(39), 39);
    const bool labelled = std::ranges::count(order, "y") > 0;
    EXPECT_EQ(other.train.labels, labelled ? split.train.labels : Labels{});
  }
  io::write_file(folder / "other.csv", table({"b", "extra", "c", "a"}));
  expect_contains(load_like(folder / "other.csv", split.description).notes[0],
                  {"matched by name, not used: extra"});
}

TEST_F(LikeTable, OtherRowsAreStandardisedWithTheMomentsOfTheTrainingRows) {
  io::write_file(folder / "one.csv", "c,a,b\n-7,19.5,1000\n");
  const Doubles z = load_like(folder / "one.csv", split.description).train.examples.to_doubles();
  // 0, ..., 39 have the mean 19.5 and the variance (40^2 - 1) / 12.
  EXPECT_EQ(z[0], 0);
  EXPECT_NEAR(z[2], 12.5 / std::sqrt(1599.0 / 12), 1e-6);
}

// The mean of 0.1 over the training rows is not exactly 0.1.
TEST(Like, OtherValuesInColumnsThatWereConstantAreNoted) {
  const TemporaryFolder folder;
  std::string text = "a,k\n";
  for (int r = 0; r < 30; ++r) text += std::to_string(r) + ",0.1\n";
  io::write_file(folder / "t.csv", text);
  DatasetOptions options = kAllInTraining;
  options.standardize = true;
  const DataDescription like = load_dataset(folder / "t.csv", options).description;
  const auto notes_on_k = [&](const char* name) {
    std::vector<std::string> notes = load_like(folder / name, like).notes;
    std::erase_if(notes, [](const std::string& note) { return note.find("column k") == std::string::npos; });
    return notes;
  };
  EXPECT_EQ(notes_on_k("t.csv"), std::vector<std::string>{});
  io::write_file(folder / "other.csv", "a,k\n3,0.1\n4,9\n5,-0.1\n");
  EXPECT_EQ(
      notes_on_k("other.csv"),
      std::vector{(folder / "other.csv").string() +
                  ": column k was 0.1 in all training rows, so the model ignores it: 2 of 3 rows differ"});
}

TEST_F(LikeTable, ValuesInOtherUnitsAreNoted) {
  io::write_file(folder / "far.csv", "a,b,c\n1,2,-3\n19.5,1000,-50000\n");
  const Split far = load_like(folder / "far.csv", split.description);
  ASSERT_EQ(far.notes.size(), 2u);
  // The mean of c is -19.5, and its standard deviation is the root of 1599 / 12.
  expect_contains(far.notes[1],
                  {"the value in row 1, column 2 ('c') (from 0) is 4.33e+03 standard deviations away"});
}

// Counts and conditions beside standardised columns have the mean 0 and the standard deviation 1.
TEST(Like, ColumnsThatAreNotStandardisedAreNeverFarOut) {
  const TemporaryFolder folder;
  DataDescription like{.height = 1, .width = 2, .values = {ValueKind::standardized, -3, 2, false}};
  like.standardization = {{0, 5}, {1, 2}};
  io::write_file(folder / "x.csv", "974,6\n980,7\n");
  EXPECT_EQ(load_like(folder / "x.csv", like).notes.size(), 1u);
  io::write_file(folder / "x.csv", "974,6\n980,7000\n");
  expect_contains(load_like(folder / "x.csv", like).notes.back(), {"row 1, column 1"});
}

TEST(Like, ConditionsOfCountsMayBeAnyNumbers) {
  const TemporaryFolder folder;
  DataDescription like{.height = 1, .width = 3, .values = {ValueKind::counts, 0, 9, false}};
  like.condition_columns = 1;
  io::write_file(folder / "x.csv", "4,5,-2.5\n0,1,0.25\n");
  EXPECT_EQ(load_like(folder / "x.csv", like).train.examples.to_doubles(), (Doubles{4, 5, -2.5, 0, 1, 0.25}));
  io::write_file(folder / "x.csv", "4,5,-2.5\n0,1.5,0.25\n");
  expect_contains(error_like(folder / "x.csv", like),
                  {"expected whole numbers of 0 or more", "got 1.5 in row 1, column 1"});
}

TEST(Like, StandardisedDataRefuseNumbersThatAreNot) {
  const TemporaryFolder folder;
  const DataDescription like{.height = 1, .width = 2, .values = {ValueKind::standardized, -3, 2, false}};
  io::write_file(folder / "x.csv", "0.5,2\n30,-30\n");
  EXPECT_EQ(load_like(folder / "x.csv", like).train.examples.to_doubles(), (Doubles{0.5, 2, 30, -30}));
  io::write_file(folder / "x.csv", "0.5,2\n1,-30.5\n");
  expect_contains(
      error_like(folder / "x.csv", like),
      {"expected standardised numbers like the training data, from -30 to 30 at most, got -30.5 in row 1"});
}

TEST_F(LikeTable, MissingColumnsAndHeadersAreErrors) {
  io::write_file(folder / "other.csv", table({"a", "c", "y"}));
  expect_contains(error_like(folder / "other.csv", split.description),
                  {"expected the training data's column 'b', got a, c, y"});
  io::write_file(folder / "other.csv", "1,2.5,-1\n2,4.5,-2\n");
  expect_contains(error_like(folder / "other.csv", split.description),
                  {"expected a header with the training data's columns a, b, c, got a table without names"});
}

TEST_F(LikeTable, LabelsAreThoseOfTheModelOrLeftOut) {
  io::write_file(folder / "other.csv", "a,b,c,y\n1,2,3,odd\n4,5,6,odd\n");
  EXPECT_EQ(load_like(folder / "other.csv", split.description).train.labels, (Labels{1, 1}));
  io::write_file(folder / "other.csv", "a,b,c,y\n1,2,3,odd\n4,5,6,strange\n");
  const Split other = load_like(folder / "other.csv", split.description);
  EXPECT_TRUE(other.train.labels.empty());
  expect_contains(other.notes.back(), {"'strange' is not one of the training data's classes even, odd"});
}

TEST_F(LikeTable, ArraysAreMatchedByPositionAndSayIt) {
  write_float_npy(folder / "x.npy", {2, 3}, {0, 0.5f, 0, 1, 1.5f, -1});
  const Split other = load_like(folder / "x.npy", split.description);
  const Doubles expected = split.train.examples.to_doubles(), got = other.train.examples.to_doubles();
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
  expect_contains(other.notes.back(), {"its columns were taken as a, b, c"});
  write_float_npy(folder / "x.npy", {2, 4}, {0, 0, 0, 0, 0, 0, 0, 0});
  expect_contains(error_like(folder / "x.npy", split.description),
                  {"expected 3 values per row, like the training data, got 4"});
  write_byte_npy(folder / "b.npy", "(1, 3)", "abc");
  expect_contains(error_like(folder / "b.npy", split.description),
                  {"expected floating-point numbers, like the training data, got bytes"});
}

TEST(Like, NumericNamesAreNamesToo) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "0,1,2,3\n.5,1,2,9\n1.5,3,4,8\n");
  const Split split = load_dataset(folder / "t.csv", kAllInTraining);
  io::write_file(folder / "other.csv", "2,0,3,1\n2,.5,9,1\n4,1.5,8,3\n");
  EXPECT_EQ(load_like(folder / "other.csv", split.description).train.examples.to_doubles(),
            split.train.examples.to_doubles());
}

TEST(Like, TablesWithoutNamesAreMatchedByPosition) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "0,1.5,2\n1,3.5,4\n0,7.5,9\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "0";
  const Split split = load_dataset(folder / "t.csv", options);
  const Split same = load_like(folder / "t.csv", split.description);
  EXPECT_EQ(same.train.examples.to_doubles(), (Doubles{1.5, 2, 3.5, 4, 7.5, 9}));
  EXPECT_EQ(same.train.labels, (Labels{0, 1, 0}));
  io::write_file(folder / "bare.csv", "1.5,2\n3.5,4\n");
  EXPECT_TRUE(load_like(folder / "bare.csv", split.description).train.labels.empty());
  io::write_file(folder / "named.csv", "a,b\n1.5,2\n");
  const Split named = load_like(folder / "named.csv", split.description);
  EXPECT_EQ(named.train.examples.to_doubles(), (Doubles{1.5, 2}));
  expect_contains(named.notes.back(),
                  {"had no names of columns, so the columns were matched by their position"});
}

TEST(Like, ClassNamesInTablesWithoutNames) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "cat,1.5,2\ndog,3.5,4\ncat,7.5,9\n");
  DatasetOptions options = kAllInTraining;
  options.label_column = "0";
  const Split split = load_dataset(folder / "t.csv", options);
  const Split same = load_like(folder / "t.csv", split.description);
  EXPECT_EQ(same.train.examples.to_doubles(), (Doubles{1.5, 2, 3.5, 4, 7.5, 9}));
  EXPECT_EQ(same.train.labels, (Labels{0, 1, 0}));
  io::write_file(folder / "bad.csv", "1.5,2\n3.5,x\n");
  expect_contains(error_like(folder / "bad.csv", split.description),
                  {"line 2, column 1 (from 0): expected a number, got 'x'"});
  io::write_file(folder / "bad.csv", "cat,1.5,2\ndog,3.5,x\ncat,7.5,9\n");
  expect_contains(error_like(folder / "bad.csv", split.description),
                  {"line 2, column 2 (from 0): expected a number, got 'x'"});
}

// ---- images ----

TEST(Like, HeightAndWidthMustAgree) {
  const TemporaryFolder folder;
  std::vector<float> values(64);
  std::iota(values.begin(), values.end(), 100.0f);
  write_float_npy(folder / "t.npy", {4, 4, 4}, values);
  const DataDescription like = load_dataset(folder / "t.npy", kAllInTraining).description;
  write_float_npy(folder / "x.npy", {4, 2, 8}, values);
  expect_contains(error_like(folder / "x.npy", like),
                  {"expected images of 4 x 4 (height x width), like the training data, got 2 x 8"});
  write_float_npy(folder / "x.npy", {4, 1, 4, 4}, values);
  EXPECT_EQ(load_like(folder / "x.npy", like).train.height, 4);
  write_float_npy(folder / "x.npy", {4, 16}, values);
  const Split flat = load_like(folder / "x.npy", like);
  EXPECT_EQ(flat.train.height, 4);
  EXPECT_EQ(flat.train.examples.to_doubles(), Doubles(values.begin(), values.end()));
  expect_contains(flat.notes.back(), {"rows of 16 values were taken as images of 4 x 4"});
  write_float_npy(folder / "x.npy", {2, 4, 8}, values);
  expect_contains(error_like(folder / "x.npy", like), {"4 x 4 (height x width)", "got 4 x 8"});
}

struct RangeCase {
  ValueKind kind;
  Doubles fits, refused;
  std::string reason;
};

TEST(Like, ValuesMustFitTheRangeOfTheTrainingData) {
  const RangeCase cases[] = {
      {ValueKind::bytes, {0, 128, 255, 3}, {0, 128, 256, 3}, "expected whole numbers from 0 to 255"},
      {ValueKind::bytes, {0, 0, 0, 0}, {0, 1, -1, 0}, "expected whole numbers from 0 to 255"},
      {ValueKind::bytes, {0, 2, 1, 0}, {0, 2.5, 1, 0}, "got 2.5 in image 0, line 0, column 1"},
      {ValueKind::unit,
       {0, 1, 0.5, 1},
       {0, 1, 0.5, 1.5},
       "expected numbers from 0 to 1, like the training data"},
      {ValueKind::signed_unit, {-1, 1, 0.5, 0}, {-1, 1, 0.5, 2}, "expected numbers from -1 to 1"},
      {ValueKind::counts, {0, 300, 5, 7}, {0, 300, 5.5, 7}, "expected whole numbers of 0 or more"},
      {ValueKind::counts, {0, 300, 5, 7}, {0, 300, -5, 7}, "got -5 in image 0, line 1, column 0"},
      {ValueKind::any, {-1000, 300, 5, 7}, {0, 300, NAN, 7}, "expected finite values, got nan"}};
  const TemporaryFolder folder;
  for (const RangeCase& c : cases) {
    SCOPED_TRACE(std::string(name(c.kind)) + ": " + c.reason);
    const DataDescription like{.height = 2, .width = 2, .values = {c.kind, 0, 1, false}};
    write_float_npy(folder / "x.npy", {1, 2, 2}, {c.fits.begin(), c.fits.end()});
    const Dataset set = load_like(folder / "x.npy", like).train;
    EXPECT_EQ(set.examples.to_doubles(), c.fits);
    EXPECT_EQ(set.examples.dtype(), c.kind == ValueKind::bytes ? DType::u8 : DType::f32);
    write_float_npy(folder / "x.npy", {1, 2, 2}, {c.refused.begin(), c.refused.end()});
    expect_contains(error_like(folder / "x.npy", like), {c.reason});
  }
}

TEST(Like, NumbersOfTheUnitIntervalStandForBytes) {
  const TemporaryFolder folder;
  const DataDescription like{.height = 2, .width = 2, .values = {ValueKind::bytes, 0, 255, false}};
  write_float_npy(folder / "x.npy", {1, 2, 2}, {0, 0.2f, 1, 0.5f});
  const Split split = load_like(folder / "x.npy", like);
  EXPECT_EQ(split.train.examples.dtype(), DType::f32);
  EXPECT_EQ(split.train.examples.to_vector(), (std::vector<float>{0, 0.2f, 1, 0.5f}));
  expect_contains(split.notes.back(), {"numbers from 0 to 1 and were taken as bytes already divided by 255"});
}

// Images of 0 and 1 in every type are black and white, whatever the type of the training data was.
TEST(Like, ZerosAndOnesAreBlackAndWhiteForAModelOfBytes) {
  const TemporaryFolder folder;
  const DataDescription like{.height = 2, .width = 2, .values = {ValueKind::bytes, 0, 255, false}};
  write_float_npy(folder / "f4.npy", {2, 2, 2}, {0, 1, 1, 0, 1, 0, 0, 0});
  for (const char* type : {"u1", "b1"})
    write_byte_npy(folder / (type + ".npy"s), "(2, 2, 2)", "\0\1\1\0\1\0\0\0"s, "|"s + type);
  io::write_file(folder / "t.csv", "a,b,c,d\n0,1,1,0\n1,0,0,0\n");
  for (const char* name : {"f4.npy", "u1.npy", "b1.npy", "t.csv"}) {
    SCOPED_TRACE(name);
    const Split split = load_like(folder / name, like);
    EXPECT_EQ(split.train.examples.dtype(), DType::f32);
    EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{0, 1, 1, 0, 1, 0, 0, 0}));
    expect_contains(split.notes.back(), {"only 0 and 1 and were taken as 0 and 255 of 255"});
  }
  // With a 2 among them, they are bytes.
  write_byte_npy(folder / "u1.npy", "(1, 2, 2)", "\0\1\2\0"s);
  const Split bytes = load_like(folder / "u1.npy", like);
  EXPECT_EQ(bytes.train.examples.dtype(), DType::u8);
  EXPECT_EQ(bytes.train.examples.to_doubles(), (Doubles{0, 1, 2, 0}));
}

TEST(Like, ValuesThatWereScaledBeforeGetANote) {
  const TemporaryFolder folder;
  const DataDescription like{.height = 1, .width = 2, .values = {ValueKind::unit, 0, 121, true}};
  io::write_file(folder / "x.csv", "0,0.5\n1,0.25\n");
  expect_contains(load_like(folder / "x.csv", like).notes.back(),
                  {"reach only 1 of 121", "multiply them by 121"});
}

TEST(Like, ScaledValuesAreScaledAlike) {
  const TemporaryFolder folder;
  const DataDescription like{.height = 1, .width = 2, .values = {ValueKind::unit, -2, 6, true}};
  io::write_file(folder / "x.csv", "0,2\n6,-2\n");
  EXPECT_EQ(load_like(folder / "x.csv", like).train.examples.to_doubles(), (Doubles{0.25, 0.5, 1, 0}));
  io::write_file(folder / "x.csv", "0,2\n6.5,-2\n");
  expect_contains(error_like(folder / "x.csv", like),
                  {"expected values from -2 to 6, like the training data, got 6.5 in row 1, column 0"});
}

TEST(Like, PicturesNeedAModelOfBytes) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png", 2, 2, 7);
  const DataDescription bytes{.height = 2, .width = 2, .values = {ValueKind::bytes, 0, 255, false}};
  EXPECT_EQ(load_like(folder.path(), bytes).train.examples.to_doubles(), (Doubles{7, 7, 7, 7}));
  const DataDescription unit{.height = 2, .width = 2, .values = {ValueKind::unit, 0, 1, false}};
  expect_contains(error_like(folder.path(), unit), {"expected floating-point numbers", "got bytes"});
}

TEST(Like, ClassesOfFoldersGetTheModelsNumbers) {
  const TemporaryFolder folder;
  for (const char* name : {"dog", "cow"}) std::filesystem::create_directory(folder / name);
  write_picture(folder.path() / "dog" / "1.png", 1, 1, 10);
  write_picture(folder.path() / "cow" / "1.png", 1, 1, 20);
  DataDescription like{.height = 1, .width = 1, .values = {ValueKind::bytes, 0, 255, false}};
  like.class_names = {"cat", "cow", "dog"};
  EXPECT_EQ(load_like(folder.path(), like).train.labels, (Labels{1, 2}));
  like.class_names = {"cat", "dog"};
  const Split split = load_like(folder.path(), like);
  EXPECT_TRUE(split.train.labels.empty());
  expect_contains(split.notes.back(), {"'cow' is not one of the training data's classes cat, dog"});
}

// The classes of MNIST have numbers instead of names.
TEST(Like, ClassesOfFoldersAreTheNumbersOfAModelWithoutNames) {
  const TemporaryFolder folder;
  for (const char* name : {"7", "3"}) std::filesystem::create_directory(folder / name);
  write_picture(folder.path() / "7" / "1.png", 1, 1, 10);
  write_picture(folder.path() / "3" / "1.png", 1, 1, 20);
  const DataDescription like{.height = 1, .width = 1, .values = {ValueKind::bytes, 0, 255, false}};
  EXPECT_EQ(load_like(folder.path(), like).train.labels, (Labels{3, 7}));
  std::filesystem::rename(folder / "7", folder / "seven");
  const Split split = load_like(folder.path(), like);
  EXPECT_TRUE(split.train.labels.empty());
  expect_contains(split.notes.back(), {"'seven' is not one of the training data's classes numbers"});
}

TEST(Like, AFolderOfMnistHasTwoSets) {
  const TemporaryFolder folder;
  io::write_idx_images(folder / "train-images-idx3-ubyte", {3, 1, 2}, {1, 2, 3, 4, 5, 6});
  io::write_idx_images(folder / "t10k-images-idx3-ubyte", {1, 1, 2}, {7, 8});
  const DataDescription like{.height = 1, .width = 2, .values = {ValueKind::bytes, 0, 255, false}};
  const Split split = load_like(folder.path(), like);
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(split.test.examples.to_doubles(), (Doubles{7, 8}));
}

}  // namespace
}  // namespace gpuvae
