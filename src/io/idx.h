// IDX, the file format of MNIST: a big-endian header, then unsigned bytes.
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

// Read a whole file, plain or gzip (told by its content, not its name). Images have magic 2051, labels 2049.
// Throw Error, one line naming the file and what is wrong with it, unless the file holds exactly what its
// header says (bytes after the end of a gzip stream are ignored, as gzip does). Memory grows with the data
// found, never with what a header claims.
IdxImages read_idx_images(const std::filesystem::path& path);
std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path);

// `sizes` are count, rows and columns of the images, `pixels` are in that order. Write a plain file that
// appears complete or not at all (AtomicFile). Throw Error if the sizes disagree, are zero or exceed 32 bits,
// or if the file cannot be written.
void write_idx_images(const std::filesystem::path& path, const std::array<std::int64_t, 3>& sizes,
                      const std::vector<std::uint8_t>& pixels);
void write_idx_labels(const std::filesystem::path& path, const std::vector<std::uint8_t>& labels);

}  // namespace gpuvae::io
