// NPY, the file format of NumPy's arrays (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace gpuvae::io {

struct NpyArray {
  std::vector<std::int64_t> shape;  // none for a single number
  bool bytes = false;               // dtype u1: the elements are in u8, otherwise in f32; row-major in both
  std::vector<std::uint8_t> u8;
  std::vector<float> f32;
};

// Reads versions 1 to 3 of booleans (0 and 1), integers of 1 to 8 bytes and floats of 2 to 8 bytes, of either
// byte order, in C or Fortran order; also compressed by gzip. What is no byte is rounded to f32: large values
// become infinite, and nothing is wrong with NaN. Throws Error "[read] path: reason" unless the file holds
// exactly what its header says. Memory grows with the data found, never with what a header claims.
NpyArray read_npy(const std::filesystem::path& path);

// Writes version 1.0, little-endian f4, C order; replaces the file whole or not at all (AtomicFile). Throws
// Error "[write] path: reason" where `values` do not match the shape, and on failing I/O.
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const float> values);

}  // namespace gpuvae::io
