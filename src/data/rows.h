// Rows of numbers from a file, before they are split into training and validation data.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "gpuvae/data.h"
#include "src/io/file_array.h"

namespace gpuvae::data {

// The first values of an array that stays in its file.
struct FileValues {
  std::shared_ptr<const io::FileArray> array;
  std::size_t elements = 0;

  std::size_t size() const { return elements; }
  void resize(std::size_t smaller) { elements = smaller; }
};

using Values = std::variant<std::vector<std::uint8_t>, std::vector<float>, std::vector<double>, FileValues>;

// The source of the numbers, which decides their kind where the values leave it open (see ValueKind).
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
  std::int64_t first_row = 0;             // number of the first row in the file, counted from 0
  bool missing_values = false;            // whether NaN is a missing value rather than an error

  std::size_t row_size() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::size_t elements() const;
  std::int64_t count() const { return static_cast<std::int64_t>(elements() / row_size()); }
  // Whether the type of the values is u8.
  bool holds_bytes() const;
  // The file that has the values, or null if they are in memory.
  const io::FileArray* file() const;
  // Calls use(part, first) for consecutive parts of the values: a std::span of const u8, float or double that
  // begins with element number `first`. A part has whole rows. Values in memory are one part, those in a file
  // have parts of about a MiB.
  template <class Use>
  void for_parts(const Use& use) const;
  // Describes the place of an element of `values`: "row 3, column 1 ('mass') (from 0)".
  std::string place(std::size_t element) const;
};

template <class Use>
void Rows::for_parts(const Use& use) const {
  const auto use_memory = [&]<class V>(const V& all) {
    if constexpr (!std::is_same_v<V, FileValues>)
      use(std::span<const typename V::value_type>(all), std::size_t{0});
  };
  const io::FileArray* array = file();
  if (array == nullptr) return std::visit(use_memory, values);
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  const std::size_t together = std::max<std::size_t>(1, kBytes / array->layout().element_size / row_size());
  const std::size_t step = together * row_size(), all = elements();
  io::NpyArray part;
  for (std::size_t first = 0; first < all; first += step) {
    part.clear();
    array->append(first, std::min(step, all - first), part);
    part.visit([&](const auto& read) { use(std::span(read), first); });
  }
  array->check_unchanged();
}

// Throws Error if an option is out of range.
void check_options(const DatasetOptions& options);

// Keeps max_rows rows, decides the range of the values, chooses the validation rows and standardises, as
// DatasetOptions says. `source` becomes Split::source. Throws Error if there are fewer than two rows (one
// without validation rows) or more than 2^31 - 1, or if a value is not finite or does not fit.
Split split_rows(Rows rows, const DatasetOptions& options, std::string source);
// Converts two sets of rows, whose split is fixed, to training and validation data. Both must be images of
// one size with the same classes.
Split split_rows(Rows train, Rows test, const DatasetOptions& options, std::string source);

// Converts all rows in the same way as a model's training data. The caller has checked their shape. Throws
// Error with the place of the first value outside the range of the training data.
Dataset conform_rows(Rows& rows, const DataDescription& like);

}  // namespace gpuvae::data
