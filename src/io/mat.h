// MAT, the file format of MATLAB. Only one matrix of bytes from a file of version 5 to 7 is read, through
// libmatio.
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

// Reads the uint8 matrix `variable`, compressed (version 7) or not, which must have at least one element.
// Throws Error "[read] path: reason" (one line) if the file cannot be read, is damaged, has another version
// (4, 7.3) or is not a MAT file, or if the variable is missing or has another class or shape.
MatBytes read_mat_u8(const std::filesystem::path& path, const std::string& variable);

}  // namespace gpuvae::io
