// MAT, the file format of MATLAB, version 5 to 7: matrices of real numbers
// (mathworks.com/help/pdf_doc/matlab/matfile_format.pdf).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

struct MatMatrix {
  std::string name;
  std::string class_name;           // "double", "single", "int8", ..., "uint64" or "logical"
  std::vector<std::int64_t> shape;  // at least two extents, each at least 1
  bool bytes = false;               // true for uint8: the elements are in u8, otherwise in f64
  // The first index varies fastest, as in MATLAB.
  std::vector<std::uint8_t> u8;
  std::vector<double> f64;
};

// Reads the matrix `variable`. It must be real, full and not empty, and of a numeric class or logical (read
// as 0 and 1). It may be compressed, stored in any numeric type, and in either byte order. Integers beyond
// 2^53 are rounded to f64. If the name is empty, reads the only such matrix of the file that has more than
// one element. Throws Error "[read] path: reason" (one line) if the file is damaged, is not a MAT file or has
// another version (4, 7.3), or if there is no such matrix or more than one; the reason then lists the
// variables with classes and sizes.
MatMatrix read_mat(const std::filesystem::path& path, const std::string& variable = {});

}  // namespace gpuvae::io
