// The header of an NPY file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gpuvae::io {

struct NpyHeader {
  std::string dtype;  // "<f4"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// Parses the text of a header, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape':
// (3, 4)}. Keys may come in any order and spaces anywhere. Throws Error "[read] path: reason" for anything
// else.
NpyHeader parse_npy_header(const std::string& path, std::string_view text);

}  // namespace gpuvae::io
