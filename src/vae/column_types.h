// The notation of --column-types: which likelihood the columns of a table have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/check.h"

namespace gpuvae {

// Consecutive columns of one type.
struct ColumnType {
  std::string type;  // a name of column_type_names()
  std::int64_t columns = 1;
};

// The types of columns: likelihoods, and "library" for the column with the library size.
const std::vector<std::string>& column_type_names();

// Reads "bernoulli:3,gaussian:5,categorical:4": types with numbers of columns, in the order of the columns.
// "categorical:4" is one variable with four categories. Throws Error.
std::vector<ColumnType> parse_column_types(const std::string& text, Origin origin);
// Returns the text for types, which parse_column_types reads.
std::string column_types_text(const std::vector<ColumnType>& types);

// Replaces names of columns by numbers of columns: "gaussian:age,bernoulli:smoker,categorical:red+green" for
// the columns smoker, age, red and green becomes "bernoulli:1,gaussian:1,categorical:2". Each column must
// have one type, and the columns of a categorical variable must be neighbours, in the order given. A text
// with numbers of columns stays as it is. `names` are those of all columns. Throws Error.
std::string numbered_column_types(const std::string& text, const std::vector<std::string>& names,
                                  Origin origin);

// Returns the types of a table whose columns are all counts of one type but for the library size, which is
// the column `library`, by name or by number from 0.
std::string column_types_with_library(const std::string& type, const std::string& library,
                                      const std::vector<std::string>& names, std::int64_t columns,
                                      Origin origin);
// The column with the library size, or -1.
std::int64_t library_column(const std::vector<ColumnType>& types);

}  // namespace gpuvae
