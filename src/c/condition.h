// The conditions of conditional models in the C interface.
#pragma once

#include "src/c/arrays.h"

namespace gpuvae::c {

// Copies the condition y of `rows` rows to the CPU, f32 [rows, rules.size()], with one-hot codes of classes.
// With `or_one`, the array may have a single row for all of them. Returns an undefined tensor for a model
// without a condition. Throws Error that names row and column if a value does not fit.
Tensor condition_rows(const gpuvae_array* array, const ConditionRules& rules, std::int64_t rows, bool or_one,
                      const char* operation);

// Returns rows [x, y] in host memory for examples x of examples_of() and their condition, or x itself for a
// model without a condition. Throws Error if binarization would change numbers of the condition.
Dataset with_condition(const Dataset& x, const gpuvae_array* condition, const ConditionRules& rules,
                       Binarize binarize, const char* operation);

}  // namespace gpuvae::c
