#include "src/c/condition.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace gpuvae::c {
namespace {

// Returns rows [x, y], whose columns of y are multiplied by `scale`.
template <class T>
Tensor joined(const Tensor& x, const Tensor& y, float scale) {
  const std::int64_t rows = x.shape()[0], columns = x.shape()[1], further = y.shape()[1];
  const Tensor result = Tensor::empty({rows, columns + further}, x.dtype());
  const T* from = x.data_as<T>();
  const auto* of_condition = y.data_as<float>();
  T* to = result.data_as<T>();
  for (std::int64_t row = 0; row < rows; ++row, from += columns, of_condition += further) {
    to = std::copy_n(from, columns, to);
    to = std::transform(of_condition, of_condition + further, to,
                        [=](float value) { return static_cast<T>(scale * value); });
  }
  return result;
}

void set_condition(float* y, double value, std::int64_t row, std::int64_t column, const ConditionRules& rules,
                   const char* operation) {
  if (column < rules.columns) {
    y[column] = number_of_model(value, column, rules.trained_on);
    check(std::isfinite(y[column]), operation,
          "expected finite numbers within 32-bit floats as condition, got {} in row {}, column {} (from 0)",
          value, row, column);
    return;
  }
  check(value >= 0 && value < rules.classes && value == std::trunc(value), operation,
        "expected classes from 0 to {} as condition, got {} in row {}, column {} (from 0)", rules.classes - 1,
        value, row, column);
  y[rules.columns + static_cast<std::int64_t>(value)] = 1;
}

}  // namespace

Tensor condition_rows(const gpuvae_array* array, const ConditionRules& rules, std::int64_t rows, bool or_one,
                      const char* operation) {
  if (rules.size() == 0) {
    check(array == nullptr, operation, "expected NULL as condition for a model without one, got an array");
    return {};
  }
  check(array != nullptr, operation, "expected a condition for a conditional model, got none");
  check_input(array, rules.columns + (rules.classes > 0 ? 1 : 0), "condition", operation);
  check(array->dtype != GPUVAE_U8, operation,
        "expected GPUVAE_F32 or GPUVAE_F64 as the dtype of condition, got GPUVAE_U8");
  check(array->rows == rows || (or_one && array->rows == 1), operation,
        "expected a condition of {} rows{}, got {}", rows, or_one ? " or of 1" : "", array->rows);
  const Tensor y = Tensor::zeros({array->rows, rules.size()});
  for_each_number(*array, [&](double value, std::int64_t row, std::int64_t column) {
    set_condition(y.data_as<float>() + row * rules.size(), value, row, column, rules, operation);
  });
  return y;
}

Dataset with_condition(const Dataset& x, const gpuvae_array* condition, const ConditionRules& rules,
                       Binarize binarize, const char* operation) {
  const Tensor y = condition_rows(condition, rules, x.count(), false, operation);
  if (!y) return x;
  check(rules.columns == 0 || binarize == Binarize::none, operation,
        "expected none as binarize for a model with condition_columns, got {}", name(binarize));
  Dataset rows = x;
  if (x.dtype() == DType::u8 && rules.columns > 0) {
    const Tensor numbers =
        gather_batch(x.examples, x.count(), {}, {.shuffle = false}, DType::f32, x.count()).x;
    rows.examples = joined<float>(numbers, y, 1);
  } else {
    rows.examples =
        x.dtype() == DType::u8 ? joined<std::uint8_t>(x.examples, y, 255) : joined<float>(x.examples, y, 1);
  }
  return rows;
}

}  // namespace gpuvae::c
