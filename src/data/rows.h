// Rows of numbers from a file, before they are split into training and validation data.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "gpuvae/data.h"

namespace gpuvae::data {

using Values = std::variant<std::vector<std::uint8_t>, std::vector<float>, std::vector<double>>;

// Where numbers come from, which decides what they mean where their values leave that open.
enum class Origin {
  pixels,  // bytes of an image by the format of the file
  array,   // elements of an array
  text,    // numbers of a table
};

struct Rows {
  std::string path = {};  // for errors
  int height = 1, width = 0;
  Origin origin = Origin::array;
  Values values = {};                     // [count, height * width], row-major
  std::vector<std::uint8_t> labels = {};  // one per row, or none
  std::vector<std::string> columns = {};  // names of the columns, or none
  std::string label_column = {};          // name or number of the column of labels, or none
  std::vector<std::string> classes = {};  // names of the labels, or none
  std::vector<std::string> notes = {};    // see Split::notes

  std::size_t row_size() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::size_t elements() const;
  std::int64_t count() const { return static_cast<std::int64_t>(elements() / row_size()); }
  bool holds_bytes() const { return std::holds_alternative<std::vector<std::uint8_t>>(values); }
  // "row 3, column 1 ('mass') (from 0)" for the value number `element`.
  std::string place(std::size_t element) const;
};

// Throws Error if the options are not in their ranges.
void check_options(const DatasetOptions& options);

// Keeps max_rows rows, decides the range of the values, chooses the validation rows and standardises, as
// DatasetOptions says. `source` becomes Split::source. Throws Error if there are fewer than two rows (one
// without validation rows) or more than 2^31 - 1, or if a value is not finite or does not fit.
Split split_rows(Rows rows, const DatasetOptions& options, std::string source);
// Makes two sets of rows with a fixed split the training and the validation data. Both come from images of
// one size and have the same classes.
Split split_rows(Rows train, Rows test, const DatasetOptions& options, std::string source);

// All rows, converted as the rows of a model's training data were. The shape fits already. Throws Error if a
// value is not in the range of the training data, with its place.
Dataset conform_rows(Rows& rows, const DataDescription& like);

}  // namespace gpuvae::data
