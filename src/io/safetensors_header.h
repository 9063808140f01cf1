// The header of a safetensors file (huggingface.co/docs/safetensors): JSON with the name, type, shape and
// place of each tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gpuvae/types.h"
#include "src/io/checksum.h"
#include "src/io/file.h"

namespace gpuvae::io {

using Metadata = std::map<std::string, std::string>;

// A tensor as the header describes it.
struct StoredTensor {
  std::string name;
  std::string dtype;  // the tag of the format: "F32", "F16", ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // its bytes in the data that follow the header
};
struct StoredHeader {
  std::vector<StoredTensor> tensors;  // in the order of the header
  Metadata metadata;
  std::uint64_t data_offset = 0;  // position of the data in the file
};

// An element type of the format.
struct StoredType {
  std::string_view tag;
  std::size_t size = 0;             // bytes per element
  std::optional<DType> dtype = {};  // the type of the library with the same bits
};
// Returns null for a tag that this program does not know.
const StoredType* stored_type(std::string_view tag);
const StoredType& stored_type(DType dtype);

// Which types of tensors a file may have: those of DType, or all that the format allows.
enum class AcceptedTypes : bool { of_dtype, all };

// The bytes of a file before its header, which hold the header's length.
inline constexpr std::uint64_t kLengthBytes = 8;
// Returns the size of length and header, from the first bytes of a file of `file_size` bytes. Throws Error
// "[read] path: reason" if the header is too long.
std::uint64_t header_size(const std::string& path, std::string_view bytes, std::uint64_t file_size);
// Reads and checks the header of a file of `file_size` bytes that begins with `bytes`. `bytes` must contain
// the header, and may end after it. Throws Error "[read] path: reason" unless everything in the header is
// valid and the tensors fill the rest of the file without holes and overlaps. The size of a tensor of an
// unknown type is not checked.
StoredHeader parse_header(const std::string& path, std::string_view bytes, std::uint64_t file_size,
                          AcceptedTypes types);
// Reads the header of a file. Throws Error "[read] path: reason".
StoredHeader read_header(const std::filesystem::path& path, AcceptedTypes types);
// Reads only the metadata. The tensors are not checked. Throws Error "[read] path: reason".
Metadata read_header_metadata(const std::filesystem::path& path);

// Sets the places of the tensors in the data, by decreasing element size, so that each tensor is aligned to
// its elements, and returns the indices in this order. Each tensor has a known type and a valid shape.
std::vector<std::size_t> place_tensors(std::span<StoredTensor> tensors);
// Returns the first bytes of a file: the length of the header, and the header. Throws Error "[write] path:
// reason" if a name is duplicate or reserved, or if text is not UTF-8.
std::string header_bytes(const std::string& path, std::span<const StoredTensor> tensors,
                         const Metadata& metadata);
// Returns the size of a tensor in bytes, or nothing if an extent is negative or the product overflows.
std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, std::size_t element_size);

// A metadata key under which a file may hold the checksum of everything else in it.
inline constexpr const char* kChecksumKey = "checksum";
// The checksum of names, types, shapes, bytes and metadata (except kChecksumKey), as 16 hexadecimal digits.
// It does not depend on the order of the tensors. `add_bytes` adds the bytes of a tensor to a sum.
std::string content_checksum(std::span<const StoredTensor> tensors, const Metadata& metadata,
                             const std::function<void(const StoredTensor&, Checksum&)>& add_bytes);
// Throws Error "[read] path: reason" if the metadata hold a checksum and it differs from that of the content.
void check_content(const std::string& path, const StoredHeader& header,
                   const std::function<void(const StoredTensor&, Checksum&)>& add_bytes);

}  // namespace gpuvae::io
