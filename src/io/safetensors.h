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
#include "src/io/file.h"
#include "src/io/safetensors_header.h"

namespace gpuvae::io {

// A dense row-major tensor in host memory; `bytes` holds product(shape) little-endian elements.
struct HostTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

struct TensorFile {
  std::vector<std::pair<std::string, HostTensor>> tensors;  // names and tensors in the order of the header
  std::map<std::string, std::string> metadata;
};

// The checksum of a file's content; see content_checksum.
std::string checksum_of(const TensorFile& file);

// Replaces the file at `path` completely or not at all (see AtomicFile). The header keeps the order of
// `tensors`. The data follow by decreasing element size, so that each tensor is aligned to its elements.
// Throws Error "[write] path: reason" if a name is duplicate or reserved, if text is not UTF-8, if the bytes
// of a tensor do not match its shape, or if writing fails.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file, Sync sync = Sync::yes);

// Throws Error "[read] path: reason" unless the file is valid and all tensors are F32, F64, BF16, U8 or I32.
// The whole header is checked. If the metadata hold a checksum, it must be that of the content.
TensorFile read_safetensors(const std::filesystem::path& path);

// Reads only the metadata. The tensors and the checksum are not checked. Throws Error "[read] path: reason".
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path);

}  // namespace gpuvae::io
