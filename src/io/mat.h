// MAT, the file format of MATLAB: one matrix of bytes out of a version 5 to 7 file, through libmatio.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::io {

struct MatBytes {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::uint8_t> values;  // column-major: columns x rows
};

// The uint8 matrix called `variable`, with at least one element; compressed (version 7) or not. Throws Error
// "[read] path: reason", one line, if the file cannot be read, is damaged, of another version (4, 7.3) or no
// MAT file, or holds no such variable or another class or shape of it.
MatBytes read_mat_u8(const std::filesystem::path& path, const std::string& variable);

}  // namespace gpuvae::io
