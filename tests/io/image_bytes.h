// Helpers for tests of image files: files written byte by byte, and exact grey levels in double precision.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/file.h"
#include "src/io/image.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {

inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}
inline std::string big_endian(std::uint64_t value, int bytes) {
  const std::string text = little_endian(value, bytes);
  return {text.rbegin(), text.rend()};
}

// A colour with channels in [0, 1].
struct Color {
  double red = 0, green = 0, blue = 0, alpha = 1;
};
// The unrounded grey level, 0 to 255, of a colour on white.
inline double exact_gray(const Color& c) {
  return 255 * (c.alpha * (0.299 * c.red + 0.587 * c.green + 0.114 * c.blue) + 1 - c.alpha);
}

// Writes a file with this content and returns its path. It first removes the file of the previous call,
// because some file systems wait for the disk when a file is replaced.
inline std::filesystem::path written(std::string_view bytes) {
  static const test::TemporaryFolder folder;
  std::filesystem::remove(folder / "image");
  std::ofstream(folder / "image", std::ios::binary) << bytes;
  return folder / "image";
}
// Reads a file with this content.
inline Gray read_bytes(std::string_view bytes, ImageChanges* changes = nullptr) {
  return read_image(written(bytes), changes);
}
// Returns the reason for which a file with this content is refused, without operation and path.
inline std::string refusal_of(std::string_view bytes) {
  const auto path = written(bytes);
  const std::string message = test::error_of([&] { read_image(path); }),
                    start = "[read] " + path.string() + ": ";
  EXPECT_EQ(message.find(start), 0u) << message;
  return message.substr(std::min(start.size(), message.size()));
}
inline void expect_refusal(std::string_view bytes, const std::string& reason) {
  const std::string message = refusal_of(bytes);
  EXPECT_NE(message.find(reason), std::string::npos) << message << "\n  lacks: " << reason;
}

// Every truncation of a file must be refused. Tries those that keep fewer than 50 bytes, those that lack
// fewer than 50 bytes, and every eleventh size between them.
inline void expect_no_truncation_is_read(std::string_view whole) {
  constexpr std::size_t kAll = 50;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool tried = size < kAll || size + kAll > whole.size() || size % 11 == 0;
    if (!tried) continue;
    EXPECT_NE(refusal_of(whole.substr(0, size)), "") << size << " of " << whole.size() << " bytes";
  }
}

// Every level must be the exact one, rounded. The tolerance covers weights that are rounded to 1/65536.
inline void expect_levels(const Gray& image, int width, int height, const std::vector<Color>& colors,
                          double tolerance = 0.505) {
  ASSERT_EQ(image.width, width);
  ASSERT_EQ(image.height, height);
  ASSERT_EQ(image.pixels.size(), colors.size());
  for (std::size_t i = 0; i < colors.size(); ++i)
    ASSERT_TRUE(std::abs(image.pixels[i] - exact_gray(colors[i])) <= tolerance)
        << "pixel " << i << ": got " << int{image.pixels[i]} << ", expected " << exact_gray(colors[i]);
}

}  // namespace gpuvae::io
