// NPY, the file format of NumPy's arrays (numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace gpuvae::io {

struct NpyArray {
  std::vector<std::int64_t> shape;  // empty for a single number
  bool bytes = false;               // true for dtype u1, whose elements are in u8
  bool integers = false;            // true for booleans and integers
  // The elements, row-major. Only one of the three vectors is in use: u8 for dtype u1; f32 for booleans,
  // other integers of 1 and 2 bytes, f2 and f4; f64 for all other types. The last two hold every number of
  // these types, except that integers beyond 2^53 are rounded.
  std::vector<std::uint8_t> u8;
  std::vector<float> f32;
  std::vector<double> f64;

  // Calls use(vector) with the vector in use; u8 if there are no elements.
  template <class Use>
  void visit(const Use& use) const {
    if (!f64.empty()) return use(f64);
    if (!f32.empty()) return use(f32);
    use(u8);
  }
  // Removes all elements, but keeps the memory of the vectors.
  void clear() {
    u8.clear();
    f32.clear();
    f64.clear();
  }

  [[nodiscard]] std::size_t elements() const { return u8.size() + f32.size() + f64.size(); }
  // Returns all elements, rounded to f32: large values become infinite.
  [[nodiscard]] std::vector<float> to_f32() const;
};

// Reads versions 1 to 3 with booleans (0 and 1), integers of 1 to 8 bytes or floats of 2 to 8 bytes, in
// either byte order and in C or Fortran order, plain or gzip. Integers beyond 2^53 are rounded to f64, and
// NaN is allowed. Throws Error "[read] path: reason" unless the file holds exactly what its header says.
// Memory use grows with the data found, not with the sizes that a header claims.
NpyArray read_npy(const std::filesystem::path& path);

// @{
// Writes version 1.0 with little-endian f4 or f8 in C order. Replaces the file completely or not at all (see
// AtomicFile). Throws Error "[write] path: reason" if `values` do not match the shape or if writing fails.
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const float> values);
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const double> values);
// @}

}  // namespace gpuvae::io
