#include "gpuvae/safetensors.h"
#include "kernels/check.h"
#include "src/io/printable.h"
#include "src/io/safetensors_header.h"
#include "src/io/stored_values.h"

namespace gpuvae {
namespace {

// The tag of a tensor's elements in the file.
std::string_view tag_of(DType dtype, StoredFloat stored_float) {
  const bool is_float = dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
  if (is_float && stored_float == StoredFloat::f16) return "F16";
  if (is_float && stored_float == StoredFloat::bf16) return "BF16";
  if (is_float && stored_float == StoredFloat::f32) return "F32";
  if (is_float && stored_float == StoredFloat::f64) return "F64";
  return io::stored_type(dtype).tag;
}

// Returns the elements as the file stores them.
std::vector<std::byte> stored_bytes(const std::string& where, const Tensor& tensor, std::string_view tag) {
  Tensor host = tensor.to(Device::cpu());
  const bool unchanged = io::stored_type(host.dtype()).tag == tag;
  if (!unchanged && host.dtype() == DType::bf16) host = host.to(DType::f32);
  const std::span values(static_cast<const std::byte*>(host.data()), host.bytes());
  if (unchanged) return {values.begin(), values.end()};
  std::vector<std::byte> stored(static_cast<std::size_t>(host.elements()) * io::stored_type(tag)->size);
  io::convert_to_stored(where, host.dtype(), values, tag, stored);
  return stored;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata, StoredFloat stored_float) {
  check(static_cast<unsigned>(stored_float) <= static_cast<unsigned>(StoredFloat::f64), "write",
        "expected a stored_float below 5, got number {}", static_cast<unsigned>(stored_float));
  std::vector<io::StoredTensor> described;
  std::map<std::string_view, std::vector<std::byte>> bytes;
  for (const NamedTensor& t : tensors) {
    const std::string where = fmt::format("{}: tensor '{}'", path.string(), io::printable(t.name));
    check(static_cast<bool>(t.tensor), file_error("write"), "{}: expected a defined tensor", where);
    const auto extents = t.tensor.shape().extents();
    const std::string_view tag = tag_of(t.tensor.dtype(), stored_float);
    described.push_back({t.name, std::string(tag), {extents.begin(), extents.end()}});
    bytes[t.name] = stored_bytes(where, t.tensor, tag);
  }
  const auto order = io::place_tensors(described);
  io::Metadata written = metadata;
  if (written.contains(io::kChecksumKey))
    written[io::kChecksumKey] =
        io::content_checksum(described, written, [&](const io::StoredTensor& tensor, io::Checksum& sum) {
          sum.add(std::span<const std::byte>(bytes[tensor.name]));
        });
  const std::string header = io::header_bytes(path.string(), described, written);
  io::AtomicFile file(path);
  file.write(header);
  for (const std::size_t i : order) file.write(bytes[described[i].name]);
  file.commit();
}

}  // namespace gpuvae
