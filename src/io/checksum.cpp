#include "src/io/checksum.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <array>

namespace gpuvae::io {

void Checksum::add(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;  // libdeflate starts anew for a null pointer
  crc_ = libdeflate_crc32(crc_, bytes.data(), bytes.size());
  adler_ = libdeflate_adler32(adler_, bytes.data(), bytes.size());
}

void Checksum::add(std::string_view text) {
  add(std::uint64_t{text.size()});
  add(std::as_bytes(std::span(text)));
}

void Checksum::add(std::uint64_t number) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  add(std::span<const std::byte>(bytes));
}

std::string Checksum::text() const { return fmt::format("{:08x}{:08x}", crc_, adler_); }

}  // namespace gpuvae::io
