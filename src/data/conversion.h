// The conversion of rows of numbers to examples.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/check.h"
#include "src/data/rows.h"

namespace gpuvae::data {

struct RowConverter {
  const Rows& rows;
  const ValueRange& range;
  const Standardization& by;

  // Writes the example of row number `row`, whose values are given, as bytes. The range must be that of
  // bytes.
  template <class T>
  void operator()(const T* values, std::size_t, std::uint8_t* out) const {
    for (std::size_t c = 0; c < rows.row_size(); ++c) out[c] = static_cast<std::uint8_t>(values[c]);
  }
  // Writes it as floats. Throws Error if a number is beyond f32.
  template <class T>
  void operator()(const T* values, std::size_t row, float* out) const {
    for (std::size_t c = 0; c < rows.row_size(); ++c) {
      const auto value = static_cast<double>(values[c]);
      out[c] = converted(value, c);
      if (!std::isfinite(out[c]) && !(rows.missing_values && std::isnan(value)))
        fail(file_error("read"), "{}: expected numbers within 32-bit floats, got {} in {}", rows.path, value,
             rows.place(row * rows.row_size() + c));
    }
  }

 private:
  float converted(double v, std::size_t column) const {
    if (std::isnan(v)) return static_cast<float>(v);
    if (!by.empty())
      return by.stddev[column] > 0 ? static_cast<float>((v - by.mean[column]) / by.stddev[column]) : 0.0f;
    return static_cast<float>(range.scaled ? (v - range.low) / (range.high - range.low) : v);
  }
};

}  // namespace gpuvae::data
