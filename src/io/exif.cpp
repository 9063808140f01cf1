#include "src/io/exif.h"

#include <utility>

namespace gpuvae::io {

int exif_orientation(std::string_view tiff) {
  constexpr std::uint64_t kOrientation = 0x0112, kShort = 3, kEntry = 12;
  const bool little = tiff.starts_with(std::string_view("II*\0", 4));
  if (!little && !tiff.starts_with(std::string_view("MM\0*", 4))) return 1;
  const auto number = [&](std::uint64_t at, unsigned size) -> std::uint64_t {
    if (at + size > tiff.size()) return 0;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i)
      value = value << 8 | static_cast<std::uint8_t>(tiff[at + (little ? size - 1 - i : i)]);
    return value;
  };
  const std::uint64_t first = number(4, 4), entries = number(first, 2);
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = first + 2 + i * kEntry;
    if (number(entry, 2) != kOrientation) continue;
    const std::uint64_t value = number(entry + 8, 2);
    const bool valid = number(entry + 2, 2) == kShort && number(entry + 4, 4) == 1;
    return valid && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Gray oriented(Gray image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // The TIFF specification defines each orientation by the edges of the picture at which row 0 and column 0
  // of the file belong.
  const bool exchanged = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Gray result{exchanged ? image.height : image.width, exchanged ? image.width : image.height, {}};
  result.pixels.reserve(image.pixels.size());
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x) {
      const int row = exchanged ? x : y, column = exchanged ? y : x;
      const int from_row = from_bottom ? image.height - 1 - row : row;
      const int from_column = from_right ? image.width - 1 - column : column;
      result.pixels.push_back(image.pixels[static_cast<std::size_t>(from_row) * image.width + from_column]);
    }
  return result;
}

}  // namespace gpuvae::io
