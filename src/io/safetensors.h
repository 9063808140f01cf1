// The safetensors format (huggingface.co/docs/safetensors): named tensors behind a JSON header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gpuvae/types.h"

namespace gpuvae::io {

// A dense row-major tensor in host memory; `bytes` holds product(shape) little-endian elements.
struct HostTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

struct TensorFile {
  std::vector<std::pair<std::string, HostTensor>> tensors;  // in the order of the header
  std::map<std::string, std::string> metadata;
};

// Replaces the file at `path` whole or not at all (see AtomicFile). The header keeps the order of `tensors`;
// their data follow by decreasing element size, so that each is aligned to its elements. Throws Error
// "[write] path: reason" on duplicate or reserved names, text that is not UTF-8, a tensor whose bytes do not
// match its shape, and on failing I/O.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

// Throws Error "[read] path: reason" on anything that is not a sound file of F32, F64, BF16, U8 and I32
// tensors: nothing of the header is trusted.
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace gpuvae::io
