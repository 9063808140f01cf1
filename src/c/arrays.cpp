#include "src/c/arrays.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/check.h"
#include "src/vae/column_rules.h"

namespace gpuvae::c {
namespace {

std::int64_t stride_of(const gpuvae_array& a) { return a.row_stride == 0 ? a.columns : a.row_stride; }

std::size_t bytes_of(std::int64_t dtype) {
  return dtype == GPUVAE_U8 ? sizeof(std::uint8_t) : dtype == GPUVAE_F64 ? sizeof(double) : sizeof(float);
}

void check_layout(const gpuvae_array* array, const char* what, const char* operation) {
  check(array != nullptr, operation, "expected an array as {}, got NULL", what);
  const gpuvae_array& a = *array;
  check(a.data != nullptr, operation, "expected an array with data as {}, got NULL data", what);
  check(a.dtype == GPUVAE_F32 || a.dtype == GPUVAE_F64 || a.dtype == GPUVAE_U8, operation,
        "expected GPUVAE_F32 ({}), GPUVAE_F64 ({}) or GPUVAE_U8 ({}) as the dtype of {}, got {}", +GPUVAE_F32,
        +GPUVAE_F64, +GPUVAE_U8, what, a.dtype);
  check(a.rows >= 1 && a.columns >= 1, operation, "expected 1 or more rows and columns of {}, got {} x {}",
        what, a.rows, a.columns);
  const std::int64_t stride = stride_of(a);
  check(stride >= a.columns, operation, "expected a row_stride of 0 or of {} or more in {}, got {}",
        a.columns, what, stride);
  const auto item = static_cast<std::int64_t>(bytes_of(a.dtype));
  check(reinterpret_cast<std::uintptr_t>(a.data) % bytes_of(a.dtype) == 0, operation,
        "expected data that are aligned to {} bytes as {}, got another address", item, what);
  check(stride <= INT64_MAX / item / a.rows, operation,
        "expected an array of fewer than 2^63 bytes as {}, got {} rows of {} elements", what, a.rows, stride);
}

void check_columns(const gpuvae_array& a, std::int64_t columns, const char* what, const char* operation) {
  check(a.columns == columns, operation, "expected {} of {} columns, got {}", what, columns, a.columns);
}

// Calls use(value, row, column) for each element, in row-major order.
template <class T, class Use>
void for_values(const gpuvae_array& a, const Use& use) {
  for (std::int64_t row = 0; row < a.rows; ++row) {
    const T* values = static_cast<const T*>(a.data) + row * stride_of(a);
    for (std::int64_t column = 0; column < a.columns; ++column) use(values[column], row, column);
  }
}

template <class Use>
void for_numbers(const gpuvae_array& a, const Use& use) {
  if (a.dtype == GPUVAE_F64) {
    for_values<double>(a, use);
  } else {
    for_values<float>(a, use);
  }
}

Tensor bytes_tensor(const gpuvae_array& a) {
  Tensor bytes = Tensor::empty({a.rows, a.columns}, DType::u8);
  auto* out = bytes.data_as<std::uint8_t>();
  for_values<std::uint8_t>(a, [&](std::uint8_t value, std::int64_t, std::int64_t) { *out++ = value; });
  return bytes;
}

// The values that floats may have, in the units of the caller.
struct AllowedValues {
  double low = -INFINITY, high = INFINITY;
  bool whole = false;
  const char* reason = "";
  bool missing = false;  // whether NaN is allowed, too
};

// Standardised data may exceed the range of the training data by this factor, as in load_like().
constexpr double kFarOut = 10;

AllowedValues allowed_values(const ExampleRules& rules, Binarize binarize) {
  if (rules.trained_on && rules.trained_on->values.scaled)
    return {.low = rules.trained_on->values.low,
            .high = rules.trained_on->values.high,
            .reason = ", like the training data"};
  if (rules.trained_on && rules.trained_on->standardization.empty()) {
    switch (rules.trained_on->values.kind) {
      case ValueKind::bytes:
        return {.low = 0, .high = 1, .reason = ", or bytes as GPUVAE_U8, like the training data"};
      case ValueKind::unit:
        return {.low = 0, .high = 1, .reason = ", like the training data"};
      case ValueKind::signed_unit:
        return {.low = -1, .high = 1, .reason = ", like the training data"};
      case ValueKind::counts:
        return {.low = 0, .whole = true, .reason = ", like the training data"};
      case ValueKind::standardized: {
        const ValueRange& range = rules.trained_on->values;
        const double limit = kFarOut * std::max(std::abs(range.low), std::abs(range.high));
        return {.low = -limit, .high = limit, .reason = ", standardised like the training data"};
      }
      case ValueKind::any:
        break;
    }
  }
  if (rules.trained_on) return {};
  if (rules.values == LikelihoodValues::unit && binarize != Binarize::threshold)
    return {.low = 0, .high = 1, .reason = " for this likelihood"};
  if (rules.values == LikelihoodValues::counts)
    return {.low = 0, .whole = true, .reason = " for this likelihood"};
  return {};
}

// Converts numbers of the caller to numbers of the model, and back.
class Units {
 public:
  explicit Units(const std::optional<DataDescription>& trained_on)
      : data_(trained_on ? &*trained_on : nullptr) {}

  float to_model(double value, std::int64_t column) const {
    if (!data_ || std::isnan(value)) return static_cast<float>(value);
    if (const Standardization& by = data_->standardization; !by.empty()) {
      const auto c = static_cast<std::size_t>(column);
      return by.stddev[c] > 0 ? static_cast<float>((value - by.mean[c]) / by.stddev[c]) : 0.0f;
    }
    const ValueRange& range = data_->values;
    return static_cast<float>(range.scaled ? (value - range.low) / (range.high - range.low) : value);
  }
  bool same() const { return !data_ || (data_->standardization.empty() && !data_->values.scaled); }

 private:
  const DataDescription* data_;
};

Tensor numbers_tensor(const gpuvae_array& a, const AllowedValues& allowed, const Units& units,
                      const char* operation) {
  Tensor numbers = Tensor::empty({a.rows, a.columns});
  auto* out = numbers.data_as<float>();
  for_numbers(a, [&](double value, std::int64_t row, std::int64_t column) {
    if (allowed.missing && std::isnan(value)) {
      *out++ = static_cast<float>(value);
      return;
    }
    check(std::isfinite(value), operation, "expected finite values, got {} in row {}, column {} (from 0)",
          value, row, column);
    check(value >= allowed.low && value <= allowed.high, operation,
          "expected values from {} to {}{}, got {} in row {}, column {} (from 0)", allowed.low, allowed.high,
          allowed.reason, value, row, column);
    check(!allowed.whole || value == std::trunc(value), operation,
          "expected whole numbers{}, got {} in row {}, column {} (from 0)", allowed.reason, value, row,
          column);
    const float number = units.to_model(value, column);
    check(std::isfinite(number), operation,
          "expected numbers within 32-bit floats, got {} in row {}, column {} (from 0)", value, row, column);
    *out++ = number;
  });
  return numbers;
}

template <class T, class U>
void write_values(const gpuvae_array& a, std::int64_t first, std::span<const U> values) {
  T* out = static_cast<T*>(a.data) + first * stride_of(a);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % a.columns;
    out[column] = static_cast<T>(values[i]);
    if (column == a.columns - 1) out += stride_of(a);
  }
}

template <class U>
void write_any(const gpuvae_array& a, std::int64_t first, std::span<const U> values) {
  if (a.dtype == GPUVAE_F64) {
    write_values<double>(a, first, values);
  } else {
    write_values<float>(a, first, values);
  }
}

// Bytes stand for numbers in [0, 1], so they fit training data that were bytes or in that range.
bool accepts_bytes(const ExampleRules& rules) {
  if (rules.values == LikelihoodValues::counts || rules.values == LikelihoodValues::by_column) return false;
  if (!rules.trained_on) return true;
  const DataDescription& data = *rules.trained_on;
  const bool unit =
      data.values.kind == ValueKind::unit && !data.values.scaled && data.standardization.empty();
  return data.values.kind == ValueKind::bytes || unit;
}

}  // namespace

Dataset examples_of(const gpuvae_array* array, const ExampleRules& rules, Binarize binarize,
                    const char* operation) {
  check_input(array, rules.features, "examples", operation);
  Dataset set{.height = rules.height, .width = rules.width};
  if (array->dtype == GPUVAE_U8) {
    check(accepts_bytes(rules), operation, "expected GPUVAE_F32 or GPUVAE_F64 examples, {}, got GPUVAE_U8",
          rules.trained_on ? "like the training data" : "counts for this likelihood");
    set.examples = bytes_tensor(*array);
  } else {
    check(rules.values != LikelihoodValues::bytes || rules.trained_on, operation,
          "expected GPUVAE_U8 examples for this likelihood, got {}",
          array->dtype == GPUVAE_F64 ? "GPUVAE_F64" : "GPUVAE_F32");
    AllowedValues allowed = allowed_values(rules, binarize);
    allowed.missing = rules.missing_values;
    set.examples = numbers_tensor(*array, allowed, Units(rules.trained_on), operation);
    if (rules.values == LikelihoodValues::by_column)
      ColumnRules(rules.column_types, operation)
          .check_rows(
              set.examples, [](std::int64_t row) { return row; }, operation);
  }
  return set;
}

Tensor codes_of(const gpuvae_array* array, std::int64_t latent, const char* operation) {
  check_input(array, latent, "codes", operation);
  check(array->dtype != GPUVAE_U8, operation, "expected GPUVAE_F32 or GPUVAE_F64 codes, got GPUVAE_U8");
  return numbers_tensor(*array, {}, Units(std::nullopt), operation);
}

void check_input(const gpuvae_array* array, std::int64_t columns, const char* what, const char* operation) {
  check_layout(array, what, operation);
  check_columns(*array, columns, what, operation);
}

void for_each_number(const gpuvae_array& array,
                     const std::function<void(double, std::int64_t, std::int64_t)>& use) {
  for_numbers(array, use);
}

float number_of_model(double value, std::int64_t column, const std::optional<DataDescription>& trained_on) {
  return Units(trained_on).to_model(value, column);
}

void check_output(const gpuvae_array* array, std::int64_t rows, std::int64_t columns, const char* what,
                  const char* operation) {
  check_layout(array, what, operation);
  check(array->dtype != GPUVAE_U8, operation,
        "expected GPUVAE_F32 or GPUVAE_F64 as the dtype of {}, got GPUVAE_U8", what);
  check(rows == 0 || array->rows == rows, operation, "expected {} of {} rows, got {}", what, rows,
        array->rows);
  check_columns(*array, columns, what, operation);
}

void write_rows(const gpuvae_array& array, std::int64_t first, std::span<const float> values) {
  write_any(array, first, values);
}

void write_rows(const gpuvae_array& array, std::int64_t first, std::span<const double> values) {
  write_any(array, first, values);
}

void write_examples(const gpuvae_array& array, std::int64_t first, std::span<const float> values,
                    const ExampleRules& rules) {
  if (Units(rules.trained_on).same()) {
    write_any(array, first, values);
  } else {
    const std::vector<double> original = restored(*rules.trained_on, values);
    write_any(array, first, std::span<const double>(original));
  }
}

std::vector<double> imputed(const gpuvae_array& examples, std::span<const float> values,
                            const ExampleRules& rules) {
  std::vector<double> all = Units(rules.trained_on).same() ? std::vector<double>(values.begin(), values.end())
                                                           : restored(*rules.trained_on, values);
  if (examples.dtype == GPUVAE_U8) {
    auto to = all.begin();
    for_values<std::uint8_t>(examples, [&](std::uint8_t byte, std::int64_t, std::int64_t) {
      *to++ = static_cast<float>(byte) / 255.0f;
    });
    return all;
  }
  auto to = all.begin();
  for_numbers(examples, [&](double value, std::int64_t, std::int64_t) {
    if (!std::isnan(value)) *to = value;
    ++to;
  });
  return all;
}

}  // namespace gpuvae::c
