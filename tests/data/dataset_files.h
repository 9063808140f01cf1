// Files of data sets, and the errors of loading them.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "gpuvae/data.h"
#include "src/io/file.h"
#include "src/io/image.h"
#include "src/io/npy.h"
#include "tests/temporary_folder.h"

namespace gpuvae::test {

using namespace std::string_literals;

inline constexpr DatasetOptions kAllInTraining{.validation_fraction = 0};

// Returns rows 0, 1, ... of two columns, r and 10 r, with the label r mod 3 in the middle.
inline std::string numbered_table(int rows) {
  std::string text = "first,class,second\n";
  for (int r = 0; r < rows; ++r)
    text += std::to_string(r) + "," + std::to_string(r % 3) + "," + std::to_string(10 * r) + "\n";
  return text;
}

inline void write_float_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& shape,
                            const std::vector<float>& values) {
  io::write_npy(path, shape, values);
}

// Writes bytes, because write_npy writes only floats.
inline void write_byte_npy(const std::filesystem::path& path, const std::string& shape,
                           const std::string& bytes, const std::string& type = "|u1") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(118, ' ');
  io::write_file(path, "\x93NUMPY\x01\x00\x76\x00"s + header + bytes);
}

inline void write_picture(const std::filesystem::path& path, int width, int height, std::uint8_t value) {
  io::write_png(path,
                {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height), value)});
}

inline void expect_contains(const std::string& message, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
}

inline std::string loading_error(const std::filesystem::path& path, const DatasetOptions& options = {}) {
  const std::string message = error_of([&] { static_cast<void>(load_dataset(path, options)); });
  EXPECT_EQ(message.find("[read] " + path.string()), 0u) << message;
  return message;
}

}  // namespace gpuvae::test
