#include "src/io/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/file_array.h"
#include "src/io/half.h"
#include "src/io/input.h"
#include "src/io/npy_header.h"

namespace gpuvae::io {
namespace {

static_assert(std::endian::native == std::endian::little, "swapping bytes assumes a little-endian machine");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxNpyHeaderBytes = 1 << 20;  // NumPy itself reads no more than 10,000
constexpr std::size_t kChunkBytes = 1 << 20;         // a multiple of every element's size

struct Boolean {
  std::uint8_t bits;
  explicit operator float() const { return bits != 0 ? 1.0f : 0.0f; }
};

// Appends raw elements to an array.
using Append = void(std::span<const std::uint8_t> raw, bool swapped, NpyArray& array);

template <class T, class To>
void append_to(std::span<const std::uint8_t> raw, bool swapped, std::vector<To>& values) {
  const std::size_t before = values.size();
  values.resize(before + raw.size() / sizeof(T));
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i) {
    std::array<std::uint8_t, sizeof(T)> element;
    std::memcpy(element.data(), raw.data() + i * sizeof(T), sizeof(T));
    if (swapped) std::ranges::reverse(element);
    values[before + i] = static_cast<To>(std::bit_cast<T>(element));
  }
}

template <class T>
void append_f32(std::span<const std::uint8_t> raw, bool swapped, NpyArray& array) {
  append_to<T>(raw, swapped, array.f32);
}
template <class T>
void append_f64(std::span<const std::uint8_t> raw, bool swapped, NpyArray& array) {
  append_to<T>(raw, swapped, array.f64);
}
void append_u8(std::span<const std::uint8_t> raw, bool, NpyArray& array) {
  array.u8.insert(array.u8.end(), raw.begin(), raw.end());
}

struct ElementType {
  std::string_view code;
  std::size_t size;
  Append* append;
};
constexpr ElementType kTypes[] = {{"u1", 1, append_u8},
                                  {"b1", 1, append_f32<Boolean>},
                                  {"i1", 1, append_f32<std::int8_t>},
                                  {"u2", 2, append_f32<std::uint16_t>},
                                  {"i2", 2, append_f32<std::int16_t>},
                                  {"u4", 4, append_f64<std::uint32_t>},
                                  {"i4", 4, append_f64<std::int32_t>},
                                  {"u8", 8, append_f64<std::uint64_t>},
                                  {"i8", 8, append_f64<std::int64_t>},
                                  {"f2", 2, append_f32<Half>},
                                  {"f4", 4, append_f32<float>},
                                  {"f8", 8, append_f64<double>}};

const ElementType& element_type(const std::string& path, const std::string& dtype) {
  const std::string_view text = dtype, code = text.substr(std::min<std::size_t>(1, text.size()));
  check(!code.starts_with('O'), file_error("read"),
        "{}: holds Python objects (dtype {}): save numbers instead", path, dtype);
  const auto found = std::ranges::find(kTypes, code, &ElementType::code);
  const std::string_view orders = found != std::end(kTypes) && found->size == 1 ? "|<>" : "<>";
  if (found != std::end(kTypes) && orders.find(text[0]) != std::string_view::npos) return *found;
  const std::string_view kind = code.starts_with('c')                            ? "complex numbers"
                                : code.starts_with('U') || code.starts_with('S') ? "strings"
                                : code.starts_with('V')                          ? "structured records"
                                                                                 : "other elements";
  fail(file_error("read"),
       "{}: expected booleans, integers of 1 to 8 bytes or floats of 2 to 8 bytes, got {} (dtype {})", path,
       kind, dtype);
}

std::optional<std::uint64_t> product(std::uint64_t size, std::span<const std::int64_t> shape) {
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(extent), &size)) return {};
  return size;
}

std::string npy_shape_text(std::span<const std::int64_t> shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

// A header, and the number of bytes before the first element.
struct Start {
  NpyHeader header;
  std::uint64_t bytes = 0;
};

Start read_npy_header(const std::string& path, InputFile& file) {
  std::array<std::uint8_t, 12> start{};
  const std::size_t got = file.read(std::span(start).first(8));
  const std::string_view magic(reinterpret_cast<const char*>(start.data()), std::min(got, kMagic.size()));
  check(magic == kMagic, file_error("read"), "{}: not an NPY file: it does not begin with \\x93NUMPY", path);
  const int version = start[6];
  check(got < 8 || (version >= 1 && version <= 3 && start[7] == 0), file_error("read"),
        "{}: expected NPY version 1.0, 2.0 or 3.0, got {}.{}", path, version, start[7]);
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t length_got = got < 8 ? 0 : file.read(std::span(start).subspan(8, length_bytes));
  check(length_got == length_bytes, file_error("read"), "{}: truncated header: the file ends after {} bytes",
        path, got + length_got);
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) length = length << 8 | start[8 + i];
  check(length <= kMaxNpyHeaderBytes, file_error("read"), "{}: header of {} bytes, expected at most {}", path,
        length, kMaxNpyHeaderBytes);
  std::vector<std::uint8_t> text(length);
  const std::size_t text_got = file.read(text);
  check(text_got == length, file_error("read"), "{}: truncated header: expected {} bytes, got {}", path,
        length, text_got);
  return {parse_npy_header(path, {reinterpret_cast<const char*>(text.data()), length}),
          8 + length_bytes + length};
}

// Returns the size of all elements in bytes.
std::uint64_t total_bytes(const std::string& path, const NpyHeader& header, const ElementType& type) {
  const auto total = product(type.size, header.shape);
  check(total.has_value(), file_error("read"), "{}: shape {} overflows", path, npy_shape_text(header.shape));
  return *total;
}

// Data sets also need a converted copy of the elements, at most half as large if these are f64.
void check_memory(const std::string& path, const NpyHeader& header, const ElementType& type) {
  const std::uint64_t elements = total_bytes(path, header, type) / type.size;
  const unsigned bytes = type.append == append_u8 ? 2 : type.size <= 2 || type.code == "f4" ? 8 : 12;
  check_fits_memory(path, elements > UINT64_MAX / bytes ? UINT64_MAX : bytes * elements,
                    header.fortran_order  ? "save the array in C order, which can be read in parts"
                    : is_plain_file(path) ? "keep the examples in the file (--data-placement auto or file)"
                                          : "uncompress the file, so that it can be read in parts");
}

void read_elements(const std::string& path, InputFile& file, const NpyHeader& header, const ElementType& type,
                   NpyArray& array) {
  const std::uint64_t total = total_bytes(path, header, type);
  const bool swapped = header.dtype[0] == '>';
  std::vector<std::uint8_t> chunk;
  for (std::uint64_t done = 0; done < total; done += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, total - done)));
    const std::size_t got = file.read(chunk);
    check(got == chunk.size(), file_error("read"),
          "{}: expected {} bytes of data ({} {}), got {}: the file is truncated", path, total, header.dtype,
          npy_shape_text(header.shape), done + got);
    type.append(chunk, swapped, array);
  }
  check(file.at_end(), file_error("read"), "{}: expected {} bytes of data ({} {}), got more", path, total,
        header.dtype, npy_shape_text(header.shape));
}

// Reorders elements from Fortran order, in which the first index varies fastest, to C order, in which the
// last one does.
template <class T>
void to_c_order(std::span<const std::int64_t> shape, std::vector<T>& elements) {
  if (shape.size() < 2) return;
  std::vector<std::size_t> strides, index(shape.size(), 0);
  std::size_t stride = 1, from = 0;
  for (const std::int64_t extent : shape) {
    strides.push_back(stride);
    stride *= static_cast<std::size_t>(extent);
  }
  std::vector<T> ordered;
  ordered.reserve(elements.size());
  while (ordered.size() < elements.size()) {
    ordered.push_back(elements[from]);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < static_cast<std::size_t>(shape[axis])) break;
      from -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
  elements = std::move(ordered);
}

}  // namespace

std::vector<float> NpyArray::to_f32() const {
  if (bytes) return {u8.begin(), u8.end()};
  if (f64.empty()) return f32;
  std::vector<float> values(f64.size());
  std::ranges::transform(f64, values.begin(), [](double value) { return static_cast<float>(value); });
  return values;
}

NpyArray read_npy(const std::filesystem::path& path) {
  const std::string where = path.string();
  InputFile file(path);
  const NpyHeader header = read_npy_header(where, file).header;
  const ElementType& type = element_type(where, header.dtype);
  check_memory(where, header, type);
  NpyArray array;
  array.shape = header.shape;
  array.bytes = type.append == append_u8;
  array.integers = type.code[0] != 'f';
  read_elements(where, file, header, type, array);
  if (header.fortran_order) {
    to_c_order(array.shape, array.u8);
    to_c_order(array.shape, array.f32);
    to_c_order(array.shape, array.f64);
  }
  return array;
}

std::shared_ptr<const FileArray> open_npy(const std::filesystem::path& path) {
  if (!is_plain_file(path)) return nullptr;
  const std::string where = path.string();
  InputFile file(path);
  Start start = read_npy_header(where, file);
  const ElementType& type = element_type(where, start.header.dtype);
  static_cast<void>(total_bytes(where, start.header, type));
  if (start.header.fortran_order && start.header.shape.size() > 1) return nullptr;
  ArrayLayout layout{.shape = std::move(start.header.shape), .offset = start.bytes};
  layout.element_size = type.size;
  layout.swapped = start.header.dtype[0] == '>';
  layout.bytes = type.append == append_u8;
  layout.integers = type.code[0] != 'f';
  layout.plain = layout.bytes || (!layout.swapped && (type.code == "f4" || type.code == "f8"));
  layout.append = type.append;
  return std::make_shared<const FileArray>(path, std::move(layout));
}

namespace {

template <class T>
void write_array(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                 std::span<const T> values) {
  const auto count = product(1, shape);
  check(count && *count == values.size(), file_error("write"), "{}: {} values do not match shape {}",
        path.string(), values.size(), npy_shape_text(shape));
  std::string text = fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': {}, }}", sizeof(T),
                                 npy_shape_text(shape));
  constexpr std::size_t kStart = kMagic.size() + 4, kAlignment = 64;
  text.resize((kStart + text.size() + kAlignment) / kAlignment * kAlignment - kStart, ' ');
  text.back() = '\n';
  check(text.size() <= 0xFFFF, file_error("write"), "{}: {} dimensions are too many", path.string(),
        shape.size());
  AtomicFile file(path);
  file.write(kMagic);
  const std::array<std::uint8_t, 4> start{1, 0, static_cast<std::uint8_t>(text.size() & 255),
                                          static_cast<std::uint8_t>(text.size() >> 8)};
  file.write(std::as_bytes(std::span(start)));
  file.write(text);
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace

void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const float> values) {
  write_array(path, shape, values);
}
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const double> values) {
  write_array(path, shape, values);
}

}  // namespace gpuvae::io
