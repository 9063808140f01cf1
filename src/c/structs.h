// Structs that begin with struct_size, which may differ from the library's size of the same struct.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kernels/check.h"

namespace gpuvae::c {

// All members have 8 bytes, so that a smaller struct ends between two members and none has padding.
inline constexpr std::size_t kMemberBytes = 8;
// A struct_size above this limit is not initialised.
inline constexpr std::size_t kMaxStructBytes = 4096;

inline void check_struct_size(std::size_t size, std::size_t known, const char* operation) {
  check(size >= kMemberBytes && size % kMemberBytes == 0 && size <= kMaxStructBytes, operation,
        "expected a struct_size of sizeof the struct, such as {}, got {}", known, size);
}

// Returns the struct_size of a caller's struct.
template <class T>
std::size_t struct_size_of(const T* given, const char* operation) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % kMemberBytes == 0);
  check(given != nullptr, operation, "expected a struct, got NULL");
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  check_struct_size(size, sizeof(T), operation);
  return size;
}

// Copies the caller's struct. Members beyond its size keep their values in `defaults`. Throws Error if a
// member that this version does not know is not zero.
template <class T>
T read_struct(const T* given, const T& defaults, const char* operation) {
  T result = defaults;
  if (given == nullptr) return result;
  const std::size_t size = struct_size_of(given, operation);
  const auto* bytes = reinterpret_cast<const std::byte*>(given);
  for (std::size_t i = sizeof(T); i < size; ++i)
    check(bytes[i] == std::byte{0}, operation,
          "expected zeros in the members that this version of the library does not know, got another value "
          "at byte {} of a struct of {} bytes (the library knows {})",
          i, size, sizeof(T));
  std::memcpy(static_cast<void*>(&result), given, std::min(size, sizeof(T)));
  result.struct_size = size;
  return result;
}

// Writes the members that a caller's struct of `size` bytes has, sets its struct_size, and clears what this
// version does not know.
template <class T>
void write_struct(T* out, std::size_t size, T value) {
  value.struct_size = size;
  std::memcpy(static_cast<void*>(out), &value, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(reinterpret_cast<std::byte*>(out) + sizeof(T), 0, size - sizeof(T));
}

// The body of the functions that set defaults.
template <class T>
void init_struct(T* out, std::size_t size, const T& defaults, const char* operation) {
  check(out != nullptr, operation, "expected a struct, got NULL");
  check_struct_size(size, sizeof(T), operation);
  write_struct(out, size, defaults);
}

}  // namespace gpuvae::c
