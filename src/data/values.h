// Determines the kind and the range of a data set's numbers, and converts them to examples.
#pragma once

#include <optional>
#include <span>

#include "src/data/rows.h"

namespace gpuvae::data {

// The range of data that are bytes by their format, such as images.
inline constexpr ValueRange kByteRange{ValueKind::bytes, 0, 255, false};
// The range of such data as numbers, of which some may be missing.
inline constexpr ValueRange kScaledByteRange{ValueKind::unit, 0, 255, true};

// Determines the range of all values. `given` is DatasetOptions::value_range. Adds a note to the rows if the
// result may surprise the user. Throws Error "[read] path: reason" if a value is not finite or outside
// `given`.
ValueRange decide_range(Rows& rows, const DatasetOptions& options);

// Throws Error "[read] path: reason" unless all values fit the range of a model's training data. Returns the
// range to convert them with: `like`, or the range [0, 1] if the training data are bytes and the values are
// bytes that were already divided by 255, or only 0 and 1. The last `condition_columns` columns may hold
// other numbers than counts, numbers in [0, 1] or numbers in [-1, 1].
ValueRange check_range(Rows& rows, const ValueRange& like, std::int64_t condition_columns = 0);

// Throws Error "[read] path: reason" if the magnitude of a value exceeds `limit`. The numbers are then
// probably not standardised, although the training data were.
void check_magnitude(const Rows& rows, double limit);

// Converts rows to u8 (bytes) or f32 examples on the CPU. `chosen` selects the rows whose flag is `which`;
// empty selects all. Throws Error if a number is beyond f32.
Tensor convert(const Rows& rows, const ValueRange& range, const Standardization& by,
               const std::vector<bool>& chosen = {}, bool which = true);

// The mean and standard deviation of each column over the chosen rows, in f64.
Standardization moments(const Rows& rows, const std::vector<bool>& chosen, bool which);

struct ColumnMoments {
  double mean = 0, stddev = 0;
};
// The moments of a column of f32 rows on the CPU, in f64 and without missing values; zeros without any value.
ColumnMoments column_moments(const Tensor& rows, std::int64_t column);

}  // namespace gpuvae::data
