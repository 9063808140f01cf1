// IDX, the file format of MNIST: a big-endian header, then the elements, which are unsigned bytes or, in
// QMNIST's labels, 32-bit integers.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "gpuvae/tensor.h"

namespace gpuvae::io {

struct IdxImages {
  std::int64_t count = 0, rows = 0, columns = 0;
  Tensor pixels;  // u8[count, rows * columns] on the CPU
};

// Read a whole file, plain or gzip, which is detected by content and not by name. Images have the magic
// number 2051. Labels have 2049 (one byte per image) or, as in QMNIST, 3074 (a row of 32-bit integers per
// image, of which the first is the label). Throw Error (one line with the file and the problem) unless the
// file holds exactly what its header says, except that bytes after the end of a gzip stream are ignored, as
// gzip does. Memory use grows with the data found, not with the sizes that a header claims.
IdxImages read_idx_images(const std::filesystem::path& path);
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path);

// `sizes` are the count, rows and columns of the images, and `pixels` is row-major in that order. Write a
// plain file that appears complete or not at all (see AtomicFile). Throw Error if the sizes do not match the
// data, are zero or exceed 32 bits, or if the file cannot be written.
void write_idx_images(const std::filesystem::path& path, const std::array<std::int64_t, 3>& sizes,
                      const std::vector<std::uint8_t>& pixels);
void write_idx_labels(const std::filesystem::path& path, const std::vector<std::uint8_t>& labels);

}  // namespace gpuvae::io
