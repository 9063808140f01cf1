#include "src/data/values.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/data/conversion.h"

namespace gpuvae {

namespace {

// Returns the name of an enumerator. Throws Error for a number that is none.
template <class E, std::size_t n>
const char* name_in(const char* const (&names)[n], const char* what, E value) {
  check(static_cast<std::size_t>(value) < n, "name", "expected a {} below {}, got number {}", what, n,
        static_cast<std::size_t>(value));
  return names[static_cast<std::size_t>(value)];
}

}  // namespace

const char* name(ValueKind kind) {
  constexpr const char* kNames[] = {"bytes", "unit", "signed-unit", "counts", "standardized", "any"};
  return name_in(kNames, "kind of values", kind);
}

const char* name(Header header) {
  constexpr const char* kNames[] = {"auto", "yes", "no"};
  return name_in(kNames, "header", header);
}

const char* name(Placement placement) {
  constexpr const char* kNames[] = {"auto", "memory", "file"};
  return name_in(kNames, "placement", placement);
}

std::string describe(const ValueRange& range) {
  if (range.scaled)
    return fmt::format("numbers scaled from [{:.7g}, {:.7g}] to [0, 1]", range.low, range.high);
  switch (range.kind) {
    case ValueKind::bytes:
      return "whole numbers from 0 to 255, taken as bytes (divided by 255)";
    case ValueKind::unit:
      return "numbers from 0 to 1, used as they are";
    case ValueKind::signed_unit:
      return "numbers from -1 to 1, used as they are";
    case ValueKind::counts:
      return fmt::format("whole numbers from 0 to {:.7g}, used as they are", range.high);
    case ValueKind::standardized:
      return fmt::format("numbers from {:.7g} to {:.7g}, with standardised columns", range.low, range.high);
    case ValueKind::any:
      break;
  }
  return fmt::format("numbers from {:.7g} to {:.7g}, used as they are", range.low, range.high);
}

}  // namespace gpuvae

namespace gpuvae::data {
namespace {

// Rows narrower than this, such as those of most tables, are bytes only if their type is a byte.
constexpr int kManyColumns = 16;

// Fewer rows than this say too little about means and standard deviations.
constexpr std::int64_t kRowsForMoments = 20;

struct Extent {
  double low = 0, high = 0;
  bool whole = true;         // whether all values are whole numbers
  std::size_t observed = 0;  // values that are not missing
  std::size_t missing = 0;

  void add(double v) {
    if (observed == 0 || v < low) low = v;
    if (observed == 0 || v >= high) high = v;
    whole = whole && v == std::trunc(v);
    ++observed;
  }
};

// Throws Error with the place of the first value for which `fits` returns false. Missing values fit, and so
// do those of the last `skipped` columns.
template <class T, class Fits>
void check_part(const Rows& rows, std::span<const T> values, std::size_t first, std::string_view expected,
                const Fits& fits, std::int64_t skipped = 0) {
  const std::size_t size = rows.row_size(), checked = size - static_cast<std::size_t>(skipped);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto number = static_cast<double>(values[i]);
    if (fits(number) || (rows.missing_values && std::isnan(number))) continue;
    if (skipped > 0 && (first + i) % size >= checked) continue;
    fail(file_error("read"), "{}: expected {}, got {} in {}", rows.path, expected, values[i],
         rows.place(first + i));
  }
}

template <class Fits>
void check_each(const Rows& rows, std::string_view expected, const Fits& fits, std::int64_t skipped = 0) {
  rows.for_parts([&]<class T>(std::span<const T> values, std::size_t first) {
    check_part(rows, values, first, expected, fits, skipped);
  });
}

Extent extent_of(const Rows& rows) {
  Extent all;
  rows.for_parts([&]<class T>(std::span<const T> values, std::size_t first) {
    constexpr bool floating = std::is_floating_point_v<T>;
    if constexpr (floating)
      check_part(rows, values, first, "finite values", [](double v) { return std::isfinite(v); });
    if constexpr (floating)
      if (rows.missing_values) {
        for (const T v : values) std::isnan(v) ? void(++all.missing) : all.add(static_cast<double>(v));
        return;
      }
    all.observed += values.size();
    const auto [low, high] = std::ranges::minmax(values);
    if (first == 0 || low < all.low) all.low = static_cast<double>(low);
    if (first == 0 || high >= all.high) all.high = static_cast<double>(high);
    if constexpr (floating)
      all.whole = all.whole && std::ranges::all_of(values, [](T v) { return v == std::trunc(v); });
  });
  return all;
}

// Whether whole numbers from 0 to 255 are bytes rather than counts or categories.
bool look_like_bytes(const Rows& rows, const Extent& e) {
  const double high = e.high;
  if (e.missing > 0) return false;
  if (rows.height > 1) return true;
  if (rows.origin == Origin::text) return rows.width >= kManyColumns && high == 255;
  return rows.holds_bytes() || (rows.width >= kManyColumns && high >= 128);
}

bool look_standardized(const Rows& rows) {
  if (rows.height > 1 || rows.count() < kRowsForMoments) return false;
  const Standardization m = moments(rows, {}, true);
  for (std::size_t c = 0; c < m.mean.size(); ++c)
    if (!(std::abs(m.mean[c]) < 0.1 && (m.stddev[c] == 0 || std::abs(m.stddev[c] - 1) < 0.1))) return false;
  return true;
}

ValueKind kind_of(const Rows& rows, const Extent& e) {
  if (rows.origin == Origin::pixels || (rows.holds_bytes() && e.high == 0)) return ValueKind::bytes;
  if (e.whole && e.low >= 0 && e.high <= 255 && e.high > 1 && look_like_bytes(rows, e))
    return ValueKind::bytes;
  if (e.low >= 0 && e.high <= 1) return ValueKind::unit;
  if (e.low >= -1 && e.high <= 1) return ValueKind::signed_unit;
  if (e.whole && e.low >= 0) return ValueKind::counts;
  return look_standardized(rows) ? ValueKind::standardized : ValueKind::any;
}

bool is_byte(double v) { return v >= 0 && v <= 255 && v == std::trunc(v); }

ValueRange given_range(const Rows& rows, double low, double high) {
  check_each(rows, fmt::format("values from {} to {}", low, high),
             [&](double v) { return v >= low && v <= high; });
  const Extent e = extent_of(rows);
  if (low == 0 && high == 255 && e.whole && !rows.missing_values) return kByteRange;
  return {ValueKind::unit, low, high, true};
}

// Calls use(values, row) for each selected row.
template <class Use>
void for_rows(const Rows& rows, const std::vector<bool>& chosen, bool which, const Use& use) {
  const std::size_t size = rows.row_size();
  rows.for_parts([&](const auto& values, std::size_t first) {
    for (std::size_t at = 0; at < values.size(); at += size) {
      const std::size_t row = (first + at) / size;
      if (chosen.empty() || chosen[row] == which) use(values.data() + at, row);
    }
  });
}

}  // namespace

ValueRange decide_range(Rows& rows, const DatasetOptions& options) {
  if (options.value_range) return given_range(rows, (*options.value_range)[0], (*options.value_range)[1]);
  const Extent e = extent_of(rows);
  check(e.observed > 0, file_error("read"), "{}: expected numbers, got only missing values", rows.path);
  if (e.missing > 0)
    rows.notes.push_back(fmt::format(
        "{}: {} of {} values are missing ({:.2g} %)", rows.path, e.missing, e.missing + e.observed,
        100.0 * static_cast<double>(e.missing) / static_cast<double>(e.missing + e.observed)));
  if (options.counts && e.whole && e.low >= 0) return {ValueKind::counts, e.low, e.high, false};
  const ValueKind kind = kind_of(rows, e);
  switch (kind) {
    case ValueKind::bytes:
      if (rows.origin != Origin::pixels && e.high > 1 && e.high < 128)
        rows.notes.push_back(
            fmt::format("{}: the values, taken as bytes, reach only {} of 255 (--value-range "
                        "0:{} scales by the largest value instead)",
                        rows.path, e.high, e.high));
      return rows.missing_values ? kScaledByteRange : kByteRange;
    case ValueKind::unit:
      return {kind, 0, 1, false};
    case ValueKind::signed_unit:
      return {kind, -1, 1, false};
    default:
      return {kind, e.low, e.high, false};
  }
}

ValueRange check_range(Rows& rows, const ValueRange& like, std::int64_t condition_columns) {
  const Extent e = extent_of(rows);
  if (like.scaled) {
    check_each(rows, fmt::format("values from {} to {}, like the training data", like.low, like.high),
               [&](double v) { return v >= like.low && v <= like.high; });
    if (e.low >= 0 && e.high > 0 && e.high <= 1 && like.high > 2)
      rows.notes.push_back(
          fmt::format("{}: the values reach only {:.7g} of {:.7g} and were scaled like the training data: if "
                      "they were scaled to [0, 1] before, multiply them by {:.7g}",
                      rows.path, e.high, like.high, like.high));
    return like;
  }
  if (like.kind == ValueKind::bytes) {
    if (rows.origin == Origin::pixels) return like;
    if (e.low >= 0 && e.high <= 1 && !e.whole) {
      rows.notes.push_back(
          fmt::format("{}: the values are numbers from 0 to 1 and were taken as bytes already divided by 255",
                      rows.path));
      return {ValueKind::unit, 0, 1, false};
    }
    check_each(rows, "whole numbers from 0 to 255, like the training data", is_byte);
    // A byte cannot be missing.
    if (e.missing > 0 && e.high != 1) return kScaledByteRange;
    if (e.high != 1) return like;
    rows.notes.push_back(fmt::format(
        "{}: the values are only 0 and 1 and were taken as 0 and 255 of 255 (black and white)", rows.path));
    return {ValueKind::unit, 0, 1, false};
  }
  check(
      rows.origin != Origin::pixels && (!rows.holds_bytes() || like.kind == ValueKind::counts || e.high <= 1),
      file_error("read"), "{}: expected floating-point numbers, like the training data, got bytes{}",
      rows.path, like.kind == ValueKind::unit ? ": divide them by 255 and save them as floats" : "");
  if (like.kind == ValueKind::unit)
    check_each(
        rows, "numbers from 0 to 1, like the training data", [](double v) { return v >= 0 && v <= 1; },
        condition_columns);
  if (like.kind == ValueKind::signed_unit)
    check_each(
        rows, "numbers from -1 to 1, like the training data", [](double v) { return std::abs(v) <= 1; },
        condition_columns);
  if (like.kind == ValueKind::counts)
    check_each(
        rows, "whole numbers of 0 or more, like the training data",
        [](double v) { return v >= 0 && v == std::trunc(v); }, condition_columns);
  return like;
}

void check_magnitude(const Rows& rows, double limit) {
  check_each(rows,
             fmt::format("standardised numbers like the training data, from {:.3g} to {:.3g} at most", -limit,
                         limit),
             [&](double v) { return std::abs(v) <= limit; });
}

Tensor convert(const Rows& rows, const ValueRange& range, const Standardization& by,
               const std::vector<bool>& chosen, bool which) {
  const std::size_t size = rows.row_size();
  const std::int64_t count = chosen.empty() ? rows.count() : std::ranges::count(chosen, which);
  const bool bytes = range.kind == ValueKind::bytes;
  Tensor examples = Tensor::empty({count, static_cast<std::int64_t>(size)}, bytes ? DType::u8 : DType::f32);
  const RowConverter convert{rows, range, by};
  void* out = examples.data();
  std::size_t done = 0;
  for_rows(rows, chosen, which, [&](const auto* values, std::size_t row) {
    if (bytes) {
      convert(values, row, static_cast<std::uint8_t*>(out) + done);
    } else {
      convert(values, row, static_cast<float*>(out) + done);
    }
    done += size;
  });
  return examples;
}

// Computes the moments from differences to the first value, without missing values. A large mean then costs
// no precision, and the standard deviation of a constant column is exactly 0.
Standardization moments(const Rows& rows, const std::vector<bool>& chosen, bool which) {
  const std::size_t columns = rows.row_size();
  std::vector<double> first(columns, 0.0), sum(columns, 0.0), squares(columns, 0.0), count(columns, 0.0);
  for_rows(rows, chosen, which, [&](const auto* values, std::size_t) {
    for (std::size_t c = 0; c < columns; ++c) {
      const auto value = static_cast<double>(values[c]);
      if (std::isnan(value)) continue;
      if (count[c] == 0) first[c] = value;
      sum[c] += value - first[c];
      ++count[c];
    }
  });
  for (std::size_t c = 0; c < columns; ++c) sum[c] /= std::max(count[c], 1.0);
  for_rows(rows, chosen, which, [&](const auto* values, std::size_t) {
    for (std::size_t c = 0; c < columns; ++c) {
      const double difference = static_cast<double>(values[c]) - first[c] - sum[c];
      if (!std::isnan(difference)) squares[c] += difference * difference;
    }
  });
  Standardization result{std::move(first), std::move(squares)};
  for (std::size_t c = 0; c < columns; ++c) {
    result.mean[c] += sum[c];
    result.stddev[c] = std::sqrt(result.stddev[c] / std::max(count[c], 1.0));
    check(std::isfinite(result.mean[c]) && std::isfinite(result.stddev[c]), file_error("read"),
          "{}: expected columns whose variance is within 64-bit floats, got column {} (from 0)", rows.path,
          c);
  }
  return result;
}

ColumnMoments column_moments(const Tensor& rows, std::int64_t column) {
  ColumnMoments m;
  double sum = 0, squares = 0, count = 0;
  const auto each = [&](const auto& use) {
    for (std::int64_t i = column; i < rows.elements(); i += rows.shape()[1])
      if (const double v = rows.data_as<float>()[i]; !std::isnan(v)) use(v);
  };
  each([&](double v) { sum += v, ++count; });
  if (count == 0) return m;
  m.mean = sum / count;
  each([&](double v) { squares += (v - m.mean) * (v - m.mean); });
  m.stddev = std::sqrt(squares / count);
  return m;
}

}  // namespace gpuvae::data
