// Rows of numbers from a file, before they are split into training and validation data.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/data.h"

namespace gpuvae::data {

struct Rows {
  std::string path = {};  // for errors
  int height = 1, width = 0;
  bool bytes = false;  // u8 holds [count, height * width] if true, f32 if false; both row-major
  std::vector<std::uint8_t> u8 = {};
  std::vector<float> f32 = {};
  std::vector<std::uint8_t> labels = {};  // one per row, or none
  std::vector<std::string> columns = {};  // names of the columns, or none
  std::vector<std::string> classes = {};  // names of the labels, or none

  std::size_t row_size() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::int64_t count() const {
    return static_cast<std::int64_t>((bytes ? u8.size() : f32.size()) / row_size());
  }
};

// Throws Error if the validation fraction is outside [0, 1) or max_rows is negative.
void check_options(const DatasetOptions& options);

// Keeps max_rows rows, chooses the validation rows and standardises, as DatasetOptions says. `source` becomes
// Split::source. Throws Error if there are fewer than two rows (one without validation rows) or more than
// 2^31 - 1, or if a value is not finite.
Split split_rows(Rows rows, const DatasetOptions& options, std::string source);

}  // namespace gpuvae::data
