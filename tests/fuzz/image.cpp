#include "tests/fuzz/image.h"

namespace gpuvae::fuzz {
namespace {

bool same(const io::Gray& a, const io::Gray& b) {
  return a.width == b.width && a.height == b.height && a.pixels == b.pixels;
}

std::string pgm(const io::Gray& image) {
  const std::string header =
      "P5\n" + std::to_string(image.width) + " " + std::to_string(image.height) + "\n255\n";
  return header + std::string(image.pixels.begin(), image.pixels.end());
}

}  // namespace

void check_image(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kMaxWritten = 1 << 16;  // pixels; larger images take too long to write
  io::Gray image;
  const auto path = input_file(bytes);
  if (!accepts([&] { image = io::read_image(path); })) return;
  require(image.width >= 1 && image.height >= 1, "an image has pixels");
  require(
      image.pixels.size() == static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height),
      "the number of pixels is width times height");
  require(same(io::read_image(input_file(pgm(image), "copy.pgm")), image), "a written PGM file is read back");
  if (image.pixels.size() > kMaxWritten) return;
  const auto copy = input_file("", "copy.png");
  io::write_png(copy, image);
  require(same(io::read_image(copy), image), "a written PNG file is read back");
}

}  // namespace gpuvae::fuzz
