// Arrays of the C interface as examples of a model, and results as arrays.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/c.h"
#include "gpuvae/data.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::c {

// What the condition y of a model is; a caller gives the numbers and then, in one column, the class.
struct ConditionRules {
  std::int64_t columns = 0;  // real numbers
  int classes = 0;           // classes 0, 1, ..., as a one-hot code; 0: none
  // How the numbers of the training data became numbers of the model; nothing for a new model.
  std::optional<DataDescription> trained_on = {};
  // The number of columns of y.
  std::int64_t size() const { return columns + classes; }
};

// What examples of a model must be, and how they become numbers of the model.
struct ExampleRules {
  std::int64_t features = 0;
  int height = 1, width = 1;
  LikelihoodValues values = LikelihoodValues::any_number;  // those for which the likelihood is defined
  bool missing_values = false;                             // whether NaN is a missing value
  std::string column_types = {};                           // of LikelihoodValues::by_column
  // The training data, without their condition, as a model file describes them; nothing for a new model.
  std::optional<DataDescription> trained_on = {};
  ConditionRules condition = {};
};

// Copies examples to the CPU, u8 or f32 [rows, features]: floats are standardised or scaled like the training
// data. With Binarize::threshold, values outside [0, 1] are accepted, because they are compared only. Throws
// Error that names row and column if a value does not fit.
Dataset examples_of(const gpuvae_array* array, const ExampleRules& rules, Binarize binarize,
                    const char* operation);

// Copies codes to the CPU, f32 [rows, latent].
Tensor codes_of(const gpuvae_array* array, std::int64_t latent, const char* operation);

// Throws Error unless the array is a matrix of `columns`.
void check_input(const gpuvae_array* array, std::int64_t columns, const char* what, const char* operation);
// Calls use(value, row, column) for each element of an array of floats, in row-major order.
void for_each_number(const gpuvae_array& array,
                     const std::function<void(double, std::int64_t, std::int64_t)>& use);
// Converts a number in the units of the training data to one of the model.
float number_of_model(double value, std::int64_t column, const std::optional<DataDescription>& trained_on);

// Throws Error unless the array is an output of `rows` (0: any number of rows) and `columns`.
void check_output(const gpuvae_array* array, std::int64_t rows, std::int64_t columns, const char* what,
                  const char* operation);
// Writes row-major values from row `first` of the array on.
void write_rows(const gpuvae_array& array, std::int64_t first, std::span<const float> values);
void write_rows(const gpuvae_array& array, std::int64_t first, std::span<const double> values);
// As write_rows, but converts values of the model to the units of the training data.
void write_examples(const gpuvae_array& array, std::int64_t first, std::span<const float> values,
                    const ExampleRules& rules);
// Returns values of the model in the units of the training data, row-major, with those of the examples that
// are not missing in their place.
std::vector<double> imputed(const gpuvae_array& examples, std::span<const float> values,
                            const ExampleRules& rules);

}  // namespace gpuvae::c
