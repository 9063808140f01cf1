// Checks the values of a table for the likelihood "columns".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gpuvae/tensor.h"
#include "kernels/check.h"
#include "src/vae/column_types.h"

namespace gpuvae {

// Which values the type of each column allows: numbers from 0 to 1 for bernoulli and continuous-bernoulli,
// whole numbers of 0 or more for counts, numbers above 0 for a library size, and at most one 1 among zeros
// for the columns of a categorical variable, which are missing as a whole or not at all.
class ColumnRules {
 public:
  // Reads a text of parse_column_types(). Throws Error.
  ColumnRules(const std::string& column_types, Origin origin);
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  // Throws Error that names the first value that does not fit. `rows` are f32 [count, columns() or more] in
  // the units of the model, on the CPU; `number_of(i)` is the number of row i for the message. Missing values
  // (NaN) fit, and further columns, which belong to a condition, are not checked.
  using RowNumber = std::function<std::int64_t(std::int64_t)>;
  void check_rows(const Tensor& rows, const RowNumber& number_of, Origin origin) const;

  enum class Allowed : std::uint8_t { any, unit, counts, library, categories };
  // The rule of the consecutive columns of one type.
  struct Rule {
    ColumnType type;
    std::int64_t first = 0;  // number of the first column
    Allowed allowed = Allowed::any;
  };

 private:
  std::vector<Rule> rules_;
  std::int64_t columns_ = 0;
};

}  // namespace gpuvae
