// MAT files of version 5, written byte by byte.
#pragma once

#include <zlib.h>

#include <cstring>
#include <string>
#include <vector>

namespace gpuvae::io::mat_bytes {

// MATLAB's numbers of the classes and of the types in which numbers are stored.
enum Class : std::uint32_t {
  cell = 1,
  structure,
  object,
  text,
  sparse,
  f64,
  f32,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64
};
enum Type : std::uint32_t {
  int8 = 1,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  single,
  real = 9,
  int64 = 12,
  uint64 = 13,
};
constexpr std::uint32_t kLogical = 0x200, kComplex = 0x800;

// The bytes of a number in the order of a file.
template <class T>
std::string number(T value, bool big = false) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return big ? std::string(bytes.rbegin(), bytes.rend()) : bytes;
}
inline std::string word(std::uint32_t value, bool big = false) { return number(value, big); }

template <class T>
std::string numbers(const std::vector<T>& values, bool big = false) {
  std::string bytes;
  for (const T value : values) bytes += number(value, big);
  return bytes;
}

inline std::string header(bool big = false) {
  std::string text = "MATLAB 5.0 MAT-file";
  text.resize(124, ' ');
  return text + (big ? std::string("\1\0MI", 4) : std::string("\0\1IM", 4));
}

// A part of a variable: a tag, then the bytes. Parts of at most four bytes are stored in the tag.
inline std::string part(std::uint32_t type, const std::string& bytes, bool big = false) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string text = size > 0 && size <= 4 ? word(size << 16 | type, big) + bytes
                                           : word(type, big) + word(size, big) + bytes;
  text.resize((text.size() + 7) / 8 * 8, '\0');
  return text;
}

// A variable; `data` are its numbers, as the file stores them.
struct Matrix {
  std::string name = "ff";
  std::uint32_t kind = u8, type = uint8;
  std::vector<std::int32_t> dims = {5, 7};
  std::string data = {};
  std::uint32_t flags = 0;
  bool big = false;

  std::string bytes() const {
    const std::string content = part(uint32, word(kind | flags, big) + word(0, big), big) +
                                part(int32, numbers(dims, big), big) + part(int8, name, big) +
                                part(type, data, big) +
                                ((flags & kComplex) != 0 ? part(type, data, big) : "");
    return word(14, big) + word(static_cast<std::uint32_t>(content.size()), big) + content;
  }
};

// Compresses a variable. `size_off` is added to the size that the file declares.
inline std::string compressed(const std::string& element, std::uint32_t size_off = 0, bool big = false) {
  std::string packed(compressBound(element.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(element.data()),
           element.size());
  packed.resize(size);
  return word(15, big) + word(static_cast<std::uint32_t>(size) + size_off, big) + packed;
}

}  // namespace gpuvae::io::mat_bytes
