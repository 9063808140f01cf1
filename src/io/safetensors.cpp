#include "src/io/safetensors.h"

#include <fmt/ranges.h>

#include <span>
#include <string_view>

#include "kernels/check.h"
#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

void check_sizes(const std::string& path, const TensorFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    const auto expected = byte_count(tensor.shape, size_of(tensor.dtype));
    check(expected && *expected == tensor.bytes.size(), file_error("write"),
          "{}: tensor '{}': {} bytes of {} do not match shape [{}]", path, printable(name),
          tensor.bytes.size(), gpuvae::name(tensor.dtype), fmt::join(tensor.shape, ", "));
  }
}

std::vector<StoredTensor> described(const TensorFile& file) {
  std::vector<StoredTensor> tensors;
  for (const auto& [name, tensor] : file.tensors)
    tensors.push_back({name, std::string(stored_type(tensor.dtype).tag), tensor.shape});
  return tensors;
}

}  // namespace

std::string checksum_of(const TensorFile& file) {
  std::map<std::string_view, const HostTensor*> tensors;
  for (const auto& [name, tensor] : file.tensors) tensors[name] = &tensor;
  return content_checksum(described(file), file.metadata, [&](const StoredTensor& tensor, Checksum& sum) {
    sum.add(std::span<const std::byte>(tensors[tensor.name]->bytes));
  });
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file, Sync sync) {
  check_sizes(path.string(), file);
  std::vector<StoredTensor> tensors = described(file);
  const auto order = place_tensors(tensors);
  const std::string header = header_bytes(path.string(), tensors, file.metadata);
  AtomicFile out(path, sync);
  out.write(header);
  for (const std::size_t i : order) out.write(file.tensors[i].second.bytes);
  out.commit();
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  // The data are copied only after the header was checked, because overlapping tensors could need far more
  // memory than the file has bytes.
  const StoredHeader header = parse_header(path.string(), bytes, bytes.size(), AcceptedTypes::of_dtype);
  const auto data = std::as_bytes(std::span(bytes)).subspan(header.data_offset);
  const auto bytes_of = [&](const StoredTensor& tensor) {
    return data.subspan(tensor.begin, tensor.end - tensor.begin);
  };
  TensorFile file;
  file.metadata = header.metadata;
  for (const StoredTensor& tensor : header.tensors) {
    const auto part = bytes_of(tensor);
    file.tensors.emplace_back(
        tensor.name, HostTensor{*stored_type(tensor.dtype)->dtype, tensor.shape, {part.begin(), part.end()}});
  }
  check_content(path.string(), header,
                [&](const StoredTensor& tensor, Checksum& sum) { sum.add(bytes_of(tensor)); });
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path) {
  return read_header_metadata(path);
}

}  // namespace gpuvae::io
