// Folders whose sub-folders are the parts of one data set and not classes.
#include <gtest/gtest.h>

#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;
using Doubles = std::vector<double>;
using Labels = std::vector<std::uint8_t>;
using Names = std::vector<std::string>;

void put(const TemporaryFolder& folder, const std::string& name, std::uint8_t value) {
  const std::filesystem::path path = folder / (name + ".png");
  std::filesystem::create_directories(path.parent_path());
  write_picture(path, 1, 1, value);
}

TEST(Parts, TrainAndHeldOutFoldersAreTheSplit) {
  for (const auto& [train, held_out] : {std::pair("train", "test"),
                                        {"Train", "Test"},
                                        {"train", "val"},
                                        {"train", "valid"},
                                        {"TRAINING", "validation"},
                                        {"training", "testing"}}) {
    SCOPED_TRACE(held_out);
    const TemporaryFolder folder;
    put(folder, train + "/a"s, 10);
    put(folder, train + "/b"s, 20);
    put(folder, held_out + "/a"s, 30);
    const Split split = load_dataset(folder.path());
    EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{10, 20}));
    EXPECT_EQ(split.test.examples.to_doubles(), (Doubles{30}));
    EXPECT_TRUE(split.train.labels.empty());
    EXPECT_TRUE(split.description.class_names.empty());
    ASSERT_EQ(split.notes.size(), 1u);
    expect_contains(split.notes[0], {"the sub-folder "s + train + " is the training set, " + held_out +
                                     " is the validation set"});
  }
}

TEST(Parts, ClassesBelowThem) {
  const TemporaryFolder folder;
  put(folder, "train/dog/1", 10);
  put(folder, "train/cat/1", 20);
  put(folder, "test/dog/1", 30);
  put(folder, "test/ant/1", 40);
  const Split split = load_dataset(folder.path());
  EXPECT_EQ(split.description.class_names, (Names{"ant", "cat", "dog"}));
  EXPECT_EQ(split.train.examples.to_doubles(), (Doubles{20, 10}));
  EXPECT_EQ(split.train.labels, (Labels{1, 2}));
  EXPECT_EQ(split.test.examples.to_doubles(), (Doubles{40, 30}));
  EXPECT_EQ(split.test.labels, (Labels{0, 2}));
  expect_contains(split.source, {"images of 1 x 1, 3 classes (ant, cat, dog)"});
}

TEST(Parts, AThirdPartIsNotUsed) {
  const TemporaryFolder folder;
  for (const auto& [name, value] : {std::pair("train/a", 10), {"val/a", 20}, {"test/a", 30}})
    put(folder, name, static_cast<std::uint8_t>(value));
  const Split split = load_dataset(folder.path());
  EXPECT_EQ(split.test.examples.to_doubles(), (Doubles{20}));
  expect_contains(split.notes[0], {"val is the validation set, test is not used"});
}

TEST(Parts, ATrainingSetAloneIsSplit) {
  const TemporaryFolder folder;
  for (int i = 0; i < 10; ++i) put(folder, "train/" + std::to_string(i), static_cast<std::uint8_t>(i));
  const Split split = load_dataset(folder.path());
  EXPECT_EQ(split.train.count(), 9);
  EXPECT_EQ(split.test.count(), 1);
}

TEST(Parts, OtherSubFoldersAreClasses) {
  const TemporaryFolder folder;
  put(folder, "train/1", 10);  // here, "train" is a class: a vehicle
  put(folder, "plane/1", 20);
  const Split split = load_dataset(folder.path(), kAllInTraining);
  EXPECT_EQ(split.description.class_names, (Names{"plane", "train"}));
  EXPECT_EQ(split.train.labels, (Labels{0, 1}));
  const TemporaryFolder tests;
  put(tests, "test/1", 10);
  put(tests, "validation/1", 20);
  EXPECT_EQ(load_dataset(tests.path(), kAllInTraining).description.class_names,
            (Names{"test", "validation"}));
}

TEST(Parts, MustFitTogether) {
  const TemporaryFolder folder;
  put(folder, "train/dog/1", 10);
  put(folder, "test/1", 10);
  expect_contains(error_of([&] { static_cast<void>(load_dataset(folder.path())); }),
                  {"test: expected sub-folders (classes) as in", "train, or images in both"});
  const TemporaryFolder sizes;
  put(sizes, "train/1", 10);
  std::filesystem::create_directory(sizes / "test");
  write_picture(sizes.path() / "test" / "1.png", 2, 1, 0);
  expect_contains(error_of([&] { static_cast<void>(load_dataset(sizes.path())); }),
                  {"test: expected images of 1 x 1 (height x width)", "got 1 x 2"});
}

TEST(Parts, MaxRowsLimitsEachPart) {
  const TemporaryFolder folder;
  for (int i = 0; i < 4; ++i)
    for (const char* part : {"train/", "test/"})
      put(folder, part + std::to_string(i), static_cast<std::uint8_t>(i));
  const Split split = load_dataset(folder.path(), {.max_rows = 3});
  EXPECT_EQ(split.train.count(), 3);
  EXPECT_EQ(split.test.count(), 3);
}

}  // namespace
}  // namespace gpuvae
