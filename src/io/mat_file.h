// The structure of a MAT file of version 5 to 7: its variables, and the parts of each. Parts are read with
// bounds checks, and nothing is allocated for sizes that a file declares but cannot hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gpuvae::io {

struct MatVariable {
  std::string name;
  std::uint32_t kind = 0;  // MATLAB's number for the class: 6 double, 7 single, 8 int8, 9 uint8, ...
  bool complex = false, logical = false;
  std::vector<std::int64_t> shape;  // at least two extents; empty for objects
  std::string_view content;         // the element, or its compressed bytes
  bool compressed = false;

  // Name of the class: "double", "complex double", "logical", "cell", ...
  std::string class_name() const;
  // "'X' (double, 120 x 560)", printable and on one line.
  std::string text() const;
};

// One part of a variable: flags, sizes, name, values.
struct MatPart {
  std::uint32_t type = 0;  // MATLAB's number for the type: 1 int8, 2 uint8, ..., 7 single, 9 double, ...
  std::string_view bytes;
};

class MatFile {
 public:
  // Reads a file and finds its variables. Throws Error "[read] path: reason" (one line) if the file is not a
  // MAT file, has another version (4, 7.3), or is damaged or truncated.
  explicit MatFile(const std::filesystem::path& path);
  MatFile(const MatFile&) = delete;
  MatFile& operator=(const MatFile&) = delete;

  const std::vector<MatVariable>& variables() const { return variables_; }
  // Whether the file's byte order differs from that of this machine.
  bool swapped() const { return swapped_; }
  // Returns the part with the values of a numeric matrix. `unpacked` holds the memory of a decompressed part
  // and must outlive the result. Throws Error if the compressed data are damaged or do not have the declared
  // size.
  MatPart values(const MatVariable& variable, std::string& unpacked) const;

 private:
  void find_variables();
  void add_variable(std::string_view content, bool compressed);
  std::string unpack_all(std::string_view packed) const;

  std::string path_, bytes_;
  bool swapped_ = false;
  std::vector<MatVariable> variables_;
};

}  // namespace gpuvae::io
