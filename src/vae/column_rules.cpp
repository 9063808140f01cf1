#include "src/vae/column_rules.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "src/vae/named_distributions.h"

namespace gpuvae {
namespace {

// The place of a row's values, for messages.
struct CheckedRow {
  std::span<const float> values;
  std::int64_t number;
  Origin origin;
};

ColumnRules::Allowed allowed_by(const std::string& type) {
  using Allowed = ColumnRules::Allowed;
  if (type == "library") return Allowed::library;
  if (type == "categorical") return Allowed::categories;
  const LikelihoodValues values = named_likelihood(type).values;
  if (values == LikelihoodValues::unit) return Allowed::unit;
  return values == LikelihoodValues::counts ? Allowed::counts : Allowed::any;
}

// Throws Error for the first value of a type's columns for which `fits` returns false. NaN fits.
template <class Fits>
void check_each_value(const CheckedRow& row, const ColumnRules::Rule& rule, std::string_view expected,
                      const Fits& fits) {
  for (std::int64_t c = rule.first; c < rule.first + rule.type.columns; ++c) {
    const float v = row.values[static_cast<std::size_t>(c)];
    check(std::isnan(v) || fits(v), row.origin, "expected {} in column {} ({}), got {} in row {} (from 0)",
          expected, c, rule.type.type, v, row.number);
  }
}

void check_categories(const CheckedRow& row, const ColumnRules::Rule& rule) {
  check_each_value(row, rule, "0 or 1", [](float v) { return v == 0 || v == 1; });
  const auto categories =
      row.values.subspan(static_cast<std::size_t>(rule.first), static_cast<std::size_t>(rule.type.columns));
  const auto missing = std::ranges::count_if(categories, [](float v) { return std::isnan(v); });
  check(missing == 0 || missing == rule.type.columns, row.origin,
        "expected all columns {} to {} (categorical) to be missing or none of them, got {} missing values in "
        "row {} (from 0)",
        rule.first, rule.first + rule.type.columns - 1, missing, row.number);
  const auto ones = std::ranges::count(categories, 1.0f);
  check(ones <= 1, row.origin,
        "expected at most one 1 in the columns {} to {} (categorical), got {} in row {} (from 0)", rule.first,
        rule.first + rule.type.columns - 1, ones, row.number);
}

void check_rule(const CheckedRow& row, const ColumnRules::Rule& rule) {
  switch (rule.allowed) {
    case ColumnRules::Allowed::unit:
      return check_each_value(row, rule, "numbers from 0 to 1", [](float v) { return v >= 0 && v <= 1; });
    case ColumnRules::Allowed::counts:
      return check_each_value(row, rule, "whole numbers of 0 or more",
                              [](float v) { return v >= 0 && v == std::trunc(v); });
    case ColumnRules::Allowed::library:
      return check_each_value(row, rule, "a library size above 0", [](float v) { return v > 0; });
    case ColumnRules::Allowed::categories:
      return check_categories(row, rule);
    case ColumnRules::Allowed::any:
      break;
  }
}

}  // namespace

ColumnRules::ColumnRules(const std::string& column_types, Origin origin) {
  for (const ColumnType& type : parse_column_types(column_types, origin)) {
    rules_.push_back({type, columns_, allowed_by(type.type)});
    columns_ += type.columns;
  }
}

void ColumnRules::check_rows(const Tensor& rows, const RowNumber& number_of, Origin origin) const {
  const std::int64_t width = rows.shape()[1];
  check(width >= columns_, origin, "expected rows of {} columns, for which there are types, got {}", columns_,
        width);
  const float* values = rows.data_as<float>();
  for (std::int64_t r = 0; r < rows.shape()[0]; ++r) {
    const CheckedRow row{{values + r * width, static_cast<std::size_t>(width)}, number_of(r), origin};
    for (const Rule& rule : rules_) check_rule(row, rule);
  }
}

}  // namespace gpuvae
