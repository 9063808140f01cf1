#include "src/io/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "kernels/check.h"
#include "src/io/checksum.h"
#include "src/io/printable.h"

namespace gpuvae::io {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor data are copied without conversion");

using Json = nlohmann::ordered_json;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::string_view kMetadata = "__metadata__";

constexpr std::pair<DType, std::string_view> kDTypes[] = {
    {DType::f32, "F32"}, {DType::f64, "F64"}, {DType::bf16, "BF16"}, {DType::u8, "U8"}, {DType::i32, "I32"}};

std::string_view tag(DType dtype) {
  return std::ranges::find(kDTypes, dtype, &std::pair<DType, std::string_view>::first)->second;
}

// Returns the size of a tensor in bytes, or nothing if an extent is negative or the product overflows.
std::optional<std::uint64_t> byte_count(std::span<const std::int64_t> shape, DType dtype) {
  std::uint64_t count = size_of(dtype);
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) return {};
  return count;
}

struct Span {
  std::uint64_t begin = 0, end = 0;
};

// Returns the order in which the data are stored: by decreasing element size, and in the given order among
// equal sizes.
std::vector<std::size_t> data_order(const TensorFile& file) {
  std::vector<std::size_t> order(file.tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::size_t i) { return size_of(file.tensors[i].second.dtype); });
  return order;
}

void check_writable(const std::string& path, const TensorFile& file) {
  std::set<std::string_view> names;
  for (const auto& [name, tensor] : file.tensors) {
    check(name != kMetadata, file_error("write"), "{}: tensor name '{}' is reserved", path, name);
    check(names.insert(name).second, file_error("write"), "{}: duplicate tensor name '{}'", path,
          printable(name));
    const auto expected = byte_count(tensor.shape, tensor.dtype);
    check(expected && *expected == tensor.bytes.size(), file_error("write"),
          "{}: tensor '{}': {} bytes of {} do not match shape [{}]", path, printable(name),
          tensor.bytes.size(), gpuvae::name(tensor.dtype), fmt::join(tensor.shape, ", "));
  }
}

std::string header_text(const std::string& path, const TensorFile& file, std::span<const std::size_t> order) {
  std::vector<Span> spans(file.tensors.size());
  std::uint64_t offset = 0;
  for (const std::size_t i : order) {
    spans[i].begin = offset;
    offset += file.tensors[i].second.bytes.size();
    spans[i].end = offset;
  }
  Json header = Json::object();
  if (!file.metadata.empty()) header[std::string(kMetadata)] = file.metadata;
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    header[name] = {{"dtype", tag(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {spans[i].begin, spans[i].end}}};
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const Json::type_error&) {
    fail(file_error("write"), "{}: a tensor name or the metadata is not UTF-8", path);
  }
}

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

std::map<std::string, std::string> parse_metadata(const std::string& path, const Json& json) {
  check(json.is_object(), file_error("read"), "{}: {} is not an object", path, kMetadata);
  std::map<std::string, std::string> metadata;
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

// Parses and checks the header entry of one tensor. `data_bytes` is the size of all data after the header.
Span parse_tensor(const std::string& where, const Json& info, std::size_t data_bytes, HostTensor& tensor) {
  check(info.is_object(), file_error("read"), "{}: its header entry is not an object", where);
  const auto dtype = info.find("dtype");
  check(dtype != info.end() && dtype->is_string(), file_error("read"), "{}: dtype is missing or not a string",
        where);
  const auto& text = dtype->get_ref<const std::string&>();
  const auto known = std::ranges::find(kDTypes, text, &std::pair<DType, std::string_view>::second);
  check(known != std::end(kDTypes), file_error("read"),
        "{}: expected dtype F32, F64, BF16, U8 or I32, got '{}'", where, printable(text));
  tensor.dtype = known->first;
  check(is_unsigned_array(info, "shape"), file_error("read"), "{}: shape is not an array of sizes", where);
  tensor.shape = info["shape"].get<std::vector<std::int64_t>>();
  check(is_unsigned_array(info, "data_offsets") && info["data_offsets"].size() == 2, file_error("read"),
        "{}: data_offsets is not a pair of offsets", where);
  const Span span{info["data_offsets"][0], info["data_offsets"][1]};
  check(span.begin <= span.end && span.end <= data_bytes, file_error("read"),
        "{}: data_offsets [{}, {}] are not inside the {} bytes of data", where, span.begin, span.end,
        data_bytes);
  const auto expected = byte_count(tensor.shape, tensor.dtype);
  check(expected.has_value(), file_error("read"), "{}: shape [{}] overflows", where,
        fmt::join(tensor.shape, ", "));
  check(*expected == span.end - span.begin, file_error("read"),
        "{}: {} [{}] takes {} bytes, data_offsets span {}", where, text, fmt::join(tensor.shape, ", "),
        *expected, span.end - span.begin);
  return span;
}

// Checks that the spans tile the data. The format allows neither overlaps nor bytes that belong to no tensor.
void check_tiling(const std::string& path, std::vector<Span> spans, std::uint64_t data_bytes) {
  std::ranges::sort(spans, {}, [](const Span& span) { return std::pair(span.begin, span.end); });
  std::uint64_t offset = 0;
  for (const Span& span : spans) {
    check(span.begin >= offset, file_error("read"), "{}: tensors overlap at data offset {}", path,
          span.begin);
    check(span.begin == offset, file_error("read"), "{}: hole in the data at offsets [{}, {}]", path, offset,
          span.begin);
    offset = span.end;
  }
  check(offset == data_bytes, file_error("read"), "{}: {} trailing bytes", path, data_bytes - offset);
}

// Reads the length of the header from the first bytes of a file of `size` bytes.
std::uint64_t header_length(const std::string& path, std::string_view bytes, std::uint64_t size) {
  check(bytes.size() >= kLengthBytes, file_error("read"), "{}: expected at least {} bytes, got {}", path,
        kLengthBytes, bytes.size());
  std::uint64_t length = 0;
  std::ranges::copy(bytes.substr(0, kLengthBytes), reinterpret_cast<char*>(&length));
  check(length <= size - kLengthBytes, file_error("read"), "{}: header of {} bytes in a file of {}", path,
        length, size);
  check(length <= kMaxHeaderBytes, file_error("read"), "{}: header of {} bytes, expected at most {}", path,
        length, kMaxHeaderBytes);
  return length;
}

std::string_view split_header(const std::string& path, std::string_view& bytes) {
  const std::uint64_t length = header_length(path, bytes, bytes.size());
  bytes.remove_prefix(kLengthBytes);
  const std::string_view header = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return header;
}

}  // namespace

std::string checksum_of(const TensorFile& file) {
  Checksum sum;
  std::map<std::string_view, const HostTensor*> tensors;
  for (const auto& [name, tensor] : file.tensors) tensors[name] = &tensor;
  for (const auto& [name, tensor] : tensors) {
    sum.add(name);
    sum.add(tag(tensor->dtype));
    sum.add(std::uint64_t{tensor->shape.size()});
    for (const std::int64_t extent : tensor->shape) sum.add(static_cast<std::uint64_t>(extent));
    sum.add(std::span<const std::byte>(tensor->bytes));
  }
  for (const auto& [key, value] : file.metadata) {
    if (key == kChecksumKey) continue;
    sum.add(std::string_view(key));
    sum.add(std::string_view(value));
  }
  return sum.text();
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file, Sync sync) {
  check_writable(path.string(), file);
  const auto order = data_order(file);
  const std::string header = header_text(path.string(), file, order);
  const std::uint64_t length = header.size();
  AtomicFile out(path, sync);
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(header);
  for (const std::size_t i : order) out.write(file.tensors[i].second.bytes);
  out.commit();
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path), where = path.string();
  std::string_view data = bytes;
  const std::string_view text = split_header(where, data);
  const Json header = HeaderParser(where).parse(text);
  TensorFile file;
  std::vector<Span> spans;
  for (const auto& [key, value] : header.items()) {
    if (key == kMetadata) {
      file.metadata = parse_metadata(where, value);
      continue;
    }
    auto& [name, tensor] = file.tensors.emplace_back(key, HostTensor{});
    spans.push_back(
        parse_tensor(fmt::format("{}: tensor '{}'", where, printable(name)), value, data.size(), tensor));
  }
  // The data are copied only after this check, because overlapping tensors could need far more memory than
  // the file has bytes.
  check_tiling(where, spans, data.size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const auto tensor = std::as_bytes(std::span(data.substr(spans[i].begin, spans[i].end - spans[i].begin)));
    file.tensors[i].second.bytes.assign(tensor.begin(), tensor.end());
  }
  if (const auto stored = file.metadata.find(kChecksumKey); stored != file.metadata.end()) {
    const std::string sum = checksum_of(file);
    check(sum == stored->second, file_error("read"),
          "{}: expected checksum {}, got {}: the file is damaged, or another program changed it and kept the "
          "metadata key '{}'",
          where, printable(stored->second), sum, kChecksumKey);
  }
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path) {
  const std::string where = path.string();
  const FilePart start = read_part(path, 0, kLengthBytes);
  const std::uint64_t length = header_length(where, start.bytes, start.file_size);
  const Json header = HeaderParser(where).parse(read_part(path, kLengthBytes, length).bytes);
  const auto found = header.find(kMetadata);
  return found == header.end() ? std::map<std::string, std::string>{} : parse_metadata(where, *found);
}

}  // namespace gpuvae::io
