// Missing values and counts in data sets, and the types of columns.
#include <gtest/gtest.h>

#include <cmath>

#include "src/train/model_file.h"
#include "src/vae/column_rules.h"
#include "src/vae/named_distributions.h"
#include "tests/data/dataset_files.h"

namespace gpuvae {
namespace {

using namespace test;

DatasetOptions with_missing_values() {
  DatasetOptions options = kAllInTraining;
  options.missing_values = true;
  return options;
}

TEST(MissingValuesInData, EmptyCellsAndNanBecomeNan) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b,c\n1.5,,3\nnan,-5,NA\n7,8,\"?\"\n");
  const Split split = load_dataset(folder / "t.csv", with_missing_values());
  const std::vector<float> x = split.train.examples.to_vector();
  ASSERT_EQ(x.size(), 9u);
  const std::vector<bool> missing = {false, true, false, true, false, true, false, false, true};
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(std::isnan(x[i]), missing[i]) << i;
  EXPECT_EQ(x[4], -5);
  EXPECT_TRUE(split.description.missing_values);
  EXPECT_EQ(split.description.values.low, -5);
  EXPECT_EQ(split.description.values.high, 8);
  bool said = false;
  for (const std::string& note : split.notes)
    said |= note.find("4 of 9 values are missing") != std::string::npos;
  EXPECT_TRUE(said);
  expect_contains(loading_error(folder / "t.csv"), {"line 2, column 'b': missing value, got ''"});
}

TEST(MissingValuesInData, AreNotPartOfMeansAndStandardDeviations) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b\n1,\n,4\n3,6\n,\n");
  DatasetOptions options = with_missing_values();
  options.standardize = true;
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.description.standardization.mean, (std::vector<double>{2, 5}));
  EXPECT_EQ(split.description.standardization.stddev, (std::vector<double>{1, 1}));
  const std::vector<float> x = split.train.examples.to_vector();
  EXPECT_EQ(x[0], -1);
  EXPECT_TRUE(std::isnan(x[1]));
  EXPECT_EQ(x[3], -1);
  const Split other = load_like(folder / "t.csv", split.description);
  EXPECT_EQ(other.train.examples.to_vector()[5], 1);
  EXPECT_TRUE(std::isnan(other.train.examples.to_vector()[7]));
}

// A model could learn nothing about such a column.
TEST(MissingValuesInData, ColumnsWithoutAnyValueAreRefused) {
  const TemporaryFolder folder;
  io::write_file(folder / "t.csv", "a,b\n1,\n2,\n3,nan\n");
  expect_contains(
      error_of([&] { static_cast<void>(load_dataset(folder / "t.csv", with_missing_values())); }),
      {"expected values in every column of the training rows, got only missing values in column 1 ('b')"});
}

TEST(MissingValuesInData, CategoricalVariablesAreMissingAsAWhole) {
  const ColumnRules rules("gaussian:1,categorical:3,poisson:1", "data");
  const float nan = std::nanf("");
  const auto checked = [&](const std::vector<float>& rows) {
    rules.check_rows(
        Tensor::from(rows, {2, 5}), [](std::int64_t row) { return 10 + row; }, "data");
  };
  EXPECT_NO_THROW(checked({nan, nan, nan, nan, nan, nan, 0, 1, 0, nan}));
  EXPECT_EQ(error_of([&] {
              checked({nan, nan, nan, nan, nan, 1, 0, nan, 1, 2});
            }),
            "[data] expected all columns 1 to 3 (categorical) to be missing or none of them, got 1 missing "
            "values in row 11 (from 0)");
}

TEST(MissingValuesInData, SurviveTheDescriptionOfAModelFile) {
  TrainingData data;
  data.train_count = 1;
  data.fingerprint = "0123456789abcdef";
  data.description.height = data.description.width = 1;
  data.description.missing_values = true;
  EXPECT_TRUE(read_data_json(data_json(data), "x").description.missing_values);
  data.description.missing_values = false;
  EXPECT_EQ(data_json(data).find("missing"), std::string::npos);
  EXPECT_FALSE(read_data_json(data_json(data), "x").description.missing_values);
}

// Whole numbers from 0 to 255 are not bytes if values may be missing, because a byte cannot be missing.
TEST(MissingValuesInData, AreKeptInLaterDataOfBytes) {
  const TemporaryFolder folder;
  std::vector<float> complete, later;
  for (int i = 0; i < 40; ++i) {
    complete.push_back(static_cast<float>(i * 37 % 256));
    later.push_back(i % 7 == 0 ? NAN : complete.back());
  }
  complete[3] = 255;
  write_float_npy(folder / "complete.npy", {2, 20}, complete);
  write_float_npy(folder / "later.npy", {2, 20}, later);
  DatasetOptions options = kAllInTraining;
  const Split bytes = load_dataset(folder / "complete.npy", options);
  EXPECT_EQ(bytes.train.dtype(), DType::u8);
  options.missing_values = true;
  const Split split = load_dataset(folder / "complete.npy", options);
  const ValueRange& range = split.description.values;
  EXPECT_EQ(range.kind, ValueKind::unit);
  EXPECT_TRUE(range.scaled && range.low == 0 && range.high == 255);
  ASSERT_EQ(split.train.dtype(), DType::f32);
  // A model of an older version has bytes with missing values.
  DataDescription older = bytes.description;
  older.missing_values = true;
  for (const DataDescription& like : {split.description, older}) {
    const Split other = load_like(folder / "later.npy", like);
    ASSERT_EQ(other.train.dtype(), DType::f32);
    const std::vector<float> x = other.train.examples.to_vector();
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(i % 7 == 0 ? std::isnan(x[i]) : std::fabs(x[i] - later[i] / 255) <= 1e-6f) << i;
  }
  options.value_range = {0, 255};
  EXPECT_EQ(load_dataset(folder / "complete.npy", options).train.dtype(), DType::f32);
}

TEST(Counts, AreNeverBytes) {
  const TemporaryFolder folder;
  std::string text;
  for (int row = 0; row < 3; ++row)
    for (int c = 0; c < 16; ++c)
      text += std::to_string(row * c == 30 ? 255 : row + c) + (c < 15 ? "," : "\n");
  io::write_file(folder / "t.csv", text);
  DatasetOptions options = kAllInTraining;
  options.header = Header::no;
  EXPECT_EQ(load_dataset(folder / "t.csv", options).train.dtype(), DType::u8);
  options.counts = true;
  const Split split = load_dataset(folder / "t.csv", options);
  EXPECT_EQ(split.train.dtype(), DType::f32);
  EXPECT_EQ(split.description.values.kind, ValueKind::counts);
  EXPECT_EQ(split.train.examples.to_vector()[3], 3);
}

std::string type_error(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ColumnTypes, AreReadByNumberAndByName) {
  const std::vector<std::string> names = {"smoker", "age", "red", "green", "height"};
  EXPECT_EQ(numbered_column_types("gaussian:age+height,bernoulli:smoker,categorical:red+green", names, "t"),
            "bernoulli:1,gaussian:1,categorical:2,gaussian:1");
  EXPECT_EQ(numbered_column_types("gaussian:2,bernoulli:3", names, "t"), "gaussian:2,bernoulli:3");
  EXPECT_EQ(column_types_with_library("poisson", "age", names, 5, "t"), "poisson:1,library:1,poisson:3");
  EXPECT_EQ(column_types_with_library("poisson", "0", {}, 3, "t"), "library:1,poisson:2");
  EXPECT_EQ(library_column(parse_column_types("poisson:4,library:1,poisson:3", "t")), 4);
  EXPECT_EQ(library_column(parse_column_types("poisson:4", "t")), -1);
}

TEST(ColumnTypes, RefuseMistakes) {
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(type_error([] { parse_column_types("gaussian", "t"); }),
            "[t] expected TYPE:COLUMNS,... as column types, such as bernoulli:3,gaussian:5, got gaussian");
  EXPECT_EQ(type_error([] { parse_column_types("gaussian:0", "t"); }),
            "[t] expected numbers of columns of 1 or more, at most 4194304 in total, got 0");
  EXPECT_NE(
      type_error([] { parse_column_types("normal:2", "t"); }).find("as the type of columns, got normal"),
      std::string::npos);
  EXPECT_EQ(type_error([&] { numbered_column_types("gaussian:a+b", names, "t"); }),
            "[t] expected a type for each column, got none for c");
  EXPECT_EQ(type_error([&] { numbered_column_types("gaussian:a+b+c,poisson:b", names, "t"); }),
            "[t] expected one type per column, got two for b");
  EXPECT_EQ(type_error([&] { numbered_column_types("gaussian:x", names, "t"); }),
            "[t] expected names of the table's columns, got x");
  EXPECT_EQ(type_error([&] { numbered_column_types("categorical:a+c,gaussian:b", names, "t"); }),
            "[t] expected the columns of a categorical variable to be neighbours in the table, got a+c");
  EXPECT_EQ(
      type_error([&] { column_types_with_library("poisson", "x", names, 3, "t"); }),
      "[t] expected the name or the number (from 0) of one of several columns as the library size, got x");
}

std::int64_t same_number(std::int64_t row) { return row; }

TEST(ColumnRules, RefuseValuesThatATypeDoesNotAllow) {
  const ColumnRules rules("poisson:1,bernoulli:1,library:1,categorical:3,gaussian:1", "t");
  EXPECT_EQ(rules.columns(), 7);
  const std::vector<float> good = {2, 0.5f, 100, 0, 1, 0, -7.5f};
  const auto refusal = [&](std::size_t column, float value) {
    std::vector<float> rows = good;
    rows.insert(rows.end(), good.begin(), good.end());
    rows[7 + column] = value;
    return type_error([&] {
      rules.check_rows(
          Tensor::from(rows, {2, 7}), [](std::int64_t row) { return 10 + row; }, "t");
    });
  };
  for (const std::size_t column : {0, 1, 2, 6}) EXPECT_EQ(refusal(column, NAN), "no error");
  EXPECT_EQ(
      refusal(4, NAN),
      "[t] expected all columns 3 to 5 (categorical) to be missing or none of them, got 1 missing values "
      "in row 11 (from 0)");
  EXPECT_EQ(refusal(4, 0), "no error");  // zeros for all categories are a missing value
  EXPECT_EQ(refusal(0, -1),
            "[t] expected whole numbers of 0 or more in column 0 (poisson), got -1 in row 11 (from 0)");
  EXPECT_EQ(refusal(0, 1.5f),
            "[t] expected whole numbers of 0 or more in column 0 (poisson), got 1.5 in row 11 (from 0)");
  EXPECT_EQ(refusal(1, 2),
            "[t] expected numbers from 0 to 1 in column 1 (bernoulli), got 2 in row 11 (from 0)");
  for (const float size : {0.0f, -3.0f})
    EXPECT_NE(refusal(2, size).find("expected a library size above 0 in column 2 (library)"),
              std::string::npos);
  EXPECT_EQ(refusal(3, 0.5f), "[t] expected 0 or 1 in column 3 (categorical), got 0.5 in row 11 (from 0)");
  EXPECT_EQ(refusal(5, 1),
            "[t] expected at most one 1 in the columns 3 to 5 (categorical), got 2 in row 11 (from 0)");
  EXPECT_EQ(type_error([&] {
              rules.check_rows(Tensor::zeros({1, 6}), same_number, "t");
            }),
            "[t] expected rows of 7 columns, for which there are types, got 6");
  // The columns of a condition follow.
  std::vector<float> with_condition = good;
  with_condition.push_back(-5);
  EXPECT_EQ(type_error([&] {
              rules.check_rows(Tensor::from(with_condition, {1, 8}), same_number, "t");
            }),
            "no error");
}

TEST(ColumnTypes, MakeALikelihood) {
  VaeOptions options;
  options.features = 6;
  DistributionSettings settings;
  settings.likelihood = "columns";
  settings.column_types = "bernoulli:1,gaussian:1,poisson:1,categorical:3";
  set_distributions(settings, options, "t");
  EXPECT_EQ(options.likelihood->outputs(6), 7);
  EXPECT_TRUE(options.log1p_counts);
  settings.likelihood = "gaussian";
  EXPECT_EQ(type_error([&] { set_distributions(settings, options, "t"); }),
            "[t] expected the likelihood columns with column types, got gaussian");
}

}  // namespace
}  // namespace gpuvae
