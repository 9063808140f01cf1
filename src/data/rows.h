// Rows of numbers on their way from a file to a Split.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/data.h"

namespace gpuvae::data {

struct Rows {
  std::string path = {};  // for errors
  int height = 1, width = 0;
  bool bytes = false;  // which of the next two holds [count, height * width], row-major
  std::vector<std::uint8_t> u8 = {};
  std::vector<float> f32 = {};
  std::vector<std::uint8_t> labels = {};  // one a row, or none
  std::vector<std::string> columns = {};  // names of the columns, or none
  std::vector<std::string> classes = {};  // names of the labels, or none

  std::size_t row_size() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::int64_t count() const {
    return static_cast<std::int64_t>((bytes ? u8.size() : f32.size()) / row_size());
  }
};

// Throws Error on a fraction outside [0, 1) and a negative max_rows.
void check_options(const DatasetOptions& options);
// Cuts to max_rows, chooses the validation rows and standardises, as DatasetOptions says; `source` is for the
// Split. Throws Error on less than two rows
// (one without validation rows), more than 2^31 - 1, and values that are not finite.
Split split_rows(Rows rows, const DatasetOptions& options, std::string source);

}  // namespace gpuvae::data
