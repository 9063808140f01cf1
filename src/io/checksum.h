// A 64-bit checksum that detects accidental changes of files and data sets. It does not protect against
// forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gpuvae::io {

// CRC-32 and Adler-32 of the same bytes, in the order in which they were added.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes);
  // Adds the length and then the bytes, so that "ab", "c" and "a", "bc" differ.
  void add(std::string_view text);
  void add(std::uint64_t number);

  std::string text() const;  // 16 hexadecimal digits

 private:
  std::uint32_t crc_ = 0, adler_ = 1;
};

}  // namespace gpuvae::io
