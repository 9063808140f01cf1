#include "src/io/safetensors_header.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "kernels/check.h"
#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor data are copied without conversion");

using Json = nlohmann::ordered_json;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::string_view kMetadata = "__metadata__";

constexpr StoredType kTypes[] = {{"F32", 4, DType::f32},
                                 {"F64", 8, DType::f64},
                                 {"BF16", 2, DType::bf16},
                                 {"U8", 1, DType::u8},
                                 {"I32", 4, DType::i32},
                                 {"F16", 2},
                                 {"I64", 8},
                                 {"U64", 8},
                                 {"U32", 4},
                                 {"I16", 2},
                                 {"U16", 2},
                                 {"I8", 1},
                                 {"BOOL", 1},
                                 {"F8_E4M3", 1},
                                 {"F8_E5M2", 1}};

// Parses the header of `path`. JSON libraries keep the last of several equal keys. Here, a duplicate key is
// an error.
class HeaderParser {
 public:
  explicit HeaderParser(std::string path) : path_(std::move(path)) {}

  Json parse(std::string_view text) {
    check(!text.empty() && text.front() == '{', file_error("read"), "{}: header does not begin with '{{'",
          path_);
    try {
      const Json header = Json::parse(text, [this](int, Json::parse_event_t event, Json& value) {
        on(event, value);
        return true;
      });
      return header;
    } catch (const Json::parse_error& error) {
      fail(file_error("read"), "{}: header is not valid JSON (at its byte {})", path_, error.byte);
    } catch (const Json::out_of_range&) {
      fail(file_error("read"), "{}: header has a number beyond 64-bit floats", path_);
    }
  }

 private:
  void on(Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event != Json::parse_event_t::key) return;
    const auto& key = value.get_ref<const std::string&>();
    check(keys_.back().insert(key).second, file_error("read"), "{}: duplicate name '{}' in the header", path_,
          printable(key));
  }

  std::string path_;
  std::vector<std::set<std::string>> keys_;  // keys of each object that is open
};

Metadata parse_metadata(const std::string& path, const Json& json) {
  check(json.is_object(), file_error("read"), "{}: {} is not an object", path, kMetadata);
  Metadata metadata;
  for (const auto& [key, value] : json.items()) {
    check(value.is_string(), file_error("read"), "{}: {} '{}' is not a string", path, kMetadata,
          printable(key));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

bool is_unsigned_array(const Json& info, const char* key) {
  const auto found = info.find(key);
  return found != info.end() && found->is_array() &&
         std::ranges::all_of(*found, [](const Json& value) { return value.is_number_unsigned(); });
}

// Parses the type of a tensor. `where` names the file and the tensor.
void parse_type(const std::string& where, const Json& info, AcceptedTypes types, StoredTensor& tensor) {
  check(info.is_object(), file_error("read"), "{}: its header entry is not an object", where);
  const auto dtype = info.find("dtype");
  check(dtype != info.end() && dtype->is_string(), file_error("read"), "{}: dtype is missing or not a string",
        where);
  tensor.dtype = dtype->get_ref<const std::string&>();
  const StoredType* known = stored_type(tensor.dtype);
  check(types == AcceptedTypes::all || (known && known->dtype), file_error("read"),
        "{}: expected dtype F32, F64, BF16, U8 or I32, got '{}'", where, printable(tensor.dtype));
}

// Parses the shape and the place of a tensor. `data_bytes` is the size of all data after the header.
void parse_place(const std::string& where, const Json& info, std::uint64_t data_bytes, StoredTensor& tensor) {
  check(is_unsigned_array(info, "shape"), file_error("read"), "{}: shape is not an array of sizes", where);
  tensor.shape = info["shape"].get<std::vector<std::int64_t>>();
  check(is_unsigned_array(info, "data_offsets") && info["data_offsets"].size() == 2, file_error("read"),
        "{}: data_offsets is not a pair of offsets", where);
  tensor.begin = info["data_offsets"][0];
  tensor.end = info["data_offsets"][1];
  check(tensor.begin <= tensor.end && tensor.end <= data_bytes, file_error("read"),
        "{}: data_offsets [{}, {}] are not inside the {} bytes of data", where, tensor.begin, tensor.end,
        data_bytes);
  const StoredType* known = stored_type(tensor.dtype);
  if (!known) return;
  const auto expected = byte_count(tensor.shape, known->size);
  check(expected.has_value(), file_error("read"), "{}: shape [{}] overflows", where,
        fmt::join(tensor.shape, ", "));
  check(*expected == tensor.end - tensor.begin, file_error("read"),
        "{}: {} [{}] takes {} bytes, data_offsets span {}", where, tensor.dtype,
        fmt::join(tensor.shape, ", "), *expected, tensor.end - tensor.begin);
}

// Checks that the tensors tile the data. The format allows neither overlaps nor bytes that belong to no
// tensor.
void check_tiling(const std::string& path, std::span<const StoredTensor> tensors, std::uint64_t data_bytes) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const StoredTensor& tensor : tensors) places.emplace_back(tensor.begin, tensor.end);
  std::ranges::sort(places);
  std::uint64_t offset = 0;
  for (const auto& [begin, end] : places) {
    check(begin >= offset, file_error("read"), "{}: tensors overlap at data offset {}", path, begin);
    check(begin == offset, file_error("read"), "{}: hole in the data at offsets [{}, {}]", path, offset,
          begin);
    offset = end;
  }
  check(offset == data_bytes, file_error("read"), "{}: {} trailing bytes", path, data_bytes - offset);
}

// Returns the length and the header, without the data.
FilePart read_start(const std::filesystem::path& path) {
  FilePart start = read_part(path, 0, kLengthBytes);
  const std::uint64_t size = header_size(path.string(), start.bytes, start.file_size);
  start.bytes += read_part(path, kLengthBytes, size - kLengthBytes).bytes;
  return start;
}

}  // namespace

const StoredType* stored_type(std::string_view tag) {
  const auto found = std::ranges::find(kTypes, tag, &StoredType::tag);
  return found == std::end(kTypes) ? nullptr : found;
}

const StoredType& stored_type(DType dtype) {
  return *std::ranges::find_if(kTypes, [&](const StoredType& type) { return type.dtype == dtype; });
}

std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, std::size_t element_size) {
  std::uint64_t count = element_size;
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) return {};
  return count;
}

std::uint64_t header_size(const std::string& path, std::string_view bytes, std::uint64_t file_size) {
  check(bytes.size() >= kLengthBytes, file_error("read"), "{}: expected at least {} bytes, got {}", path,
        kLengthBytes, bytes.size());
  std::uint64_t length = 0;
  std::ranges::copy(bytes.substr(0, kLengthBytes), reinterpret_cast<char*>(&length));
  check(
      length <= file_size - kLengthBytes, file_error("read"),
      "{}: expected a complete safetensors file, got {} bytes, of which the first 8 announce a header of {} "
      "bytes",
      path, file_size, length);
  check(length <= kMaxHeaderBytes, file_error("read"), "{}: header of {} bytes, expected at most {}", path,
        length, kMaxHeaderBytes);
  return kLengthBytes + length;
}

StoredHeader parse_header(const std::string& path, std::string_view bytes, std::uint64_t file_size,
                          AcceptedTypes types) {
  StoredHeader header;
  header.data_offset = header_size(path, bytes, file_size);
  const std::uint64_t data_bytes = file_size - header.data_offset;
  const Json json = HeaderParser(path).parse(bytes.substr(kLengthBytes, header.data_offset - kLengthBytes));
  for (const auto& [key, value] : json.items()) {
    if (key == kMetadata) {
      header.metadata = parse_metadata(path, value);
      continue;
    }
    StoredTensor& tensor = header.tensors.emplace_back();
    tensor.name = key;
    const std::string where = fmt::format("{}: tensor '{}'", path, printable(key));
    parse_type(where, value, types, tensor);
    parse_place(where, value, data_bytes, tensor);
  }
  check_tiling(path, header.tensors, data_bytes);
  return header;
}

StoredHeader read_header(const std::filesystem::path& path, AcceptedTypes types) {
  const FilePart start = read_start(path);
  return parse_header(path.string(), start.bytes, start.file_size, types);
}

Metadata read_header_metadata(const std::filesystem::path& path) {
  const FilePart start = read_start(path);
  const Json json = HeaderParser(path.string()).parse(std::string_view(start.bytes).substr(kLengthBytes));
  const auto found = json.find(kMetadata);
  return found == json.end() ? Metadata{} : parse_metadata(path.string(), *found);
}

std::vector<std::size_t> place_tensors(std::span<StoredTensor> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto size_of_element = [&](std::size_t i) { return stored_type(tensors[i].dtype)->size; };
  std::ranges::stable_sort(order, std::ranges::greater{}, size_of_element);
  std::uint64_t offset = 0;
  for (const std::size_t i : order) {
    tensors[i].begin = offset;
    offset += byte_count(tensors[i].shape, size_of_element(i)).value();
    tensors[i].end = offset;
  }
  return order;
}

std::string header_bytes(const std::string& path, std::span<const StoredTensor> tensors,
                         const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  for (const StoredTensor& t : tensors) {
    check(t.name != kMetadata, file_error("write"), "{}: tensor name '{}' is reserved", path, t.name);
    check(!header.contains(t.name), file_error("write"), "{}: duplicate tensor name '{}'", path,
          printable(t.name));
    header[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {t.begin, t.end}}};
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + text;
  } catch (const Json::type_error&) {
    fail(file_error("write"), "{}: a tensor name or the metadata is not UTF-8", path);
  }
}

std::string content_checksum(std::span<const StoredTensor> tensors, const Metadata& metadata,
                             const std::function<void(const StoredTensor&, Checksum&)>& add_bytes) {
  Checksum sum;
  std::map<std::string_view, const StoredTensor*> by_name;
  for (const StoredTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  for (const auto& [name, tensor] : by_name) {
    sum.add(name);
    sum.add(std::string_view(tensor->dtype));
    sum.add(std::uint64_t{tensor->shape.size()});
    for (const std::int64_t extent : tensor->shape) sum.add(static_cast<std::uint64_t>(extent));
    add_bytes(*tensor, sum);
  }
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    sum.add(std::string_view(key));
    sum.add(std::string_view(value));
  }
  return sum.text();
}

void check_content(const std::string& path, const StoredHeader& header,
                   const std::function<void(const StoredTensor&, Checksum&)>& add_bytes) {
  const auto stored = header.metadata.find(kChecksumKey);
  if (stored == header.metadata.end()) return;
  const std::string sum = content_checksum(header.tensors, header.metadata, add_bytes);
  check(sum == stored->second, file_error("read"),
        "{}: expected checksum {}, got {}: the file is damaged, or another program changed it and kept the "
        "metadata key '{}'",
        path, printable(stored->second), sum, kChecksumKey);
}

}  // namespace gpuvae::io
