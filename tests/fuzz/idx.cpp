// IDX images and labels: sizes agree, gzip makes no difference, and written images are read back.
#include <algorithm>
#include <optional>

#include "src/io/idx.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

std::optional<io::IdxImages> images_in(const std::filesystem::path& path) {
  std::optional<io::IdxImages> images;
  fuzz::accepts([&] { images = io::read_idx_images(path); });
  return images;
}
std::optional<std::vector<std::uint8_t>> labels_in(const std::filesystem::path& path) {
  std::optional<std::vector<std::uint8_t>> labels;
  fuzz::accepts([&] { labels = io::read_idx_labels(path); });
  return labels;
}

std::vector<std::uint8_t> pixels_of(const io::IdxImages& images) {
  const auto* first = images.pixels.data_as<std::uint8_t>();
  return {first, first + images.pixels.elements()};
}

void check_images(const io::IdxImages& images) {
  fuzz::require(images.count >= 1 && images.rows >= 1 && images.columns >= 1, "images have pixels");
  fuzz::require(images.pixels.elements() == images.count * images.rows * images.columns,
                "the number of pixels is the product of the sizes");
  const std::vector<std::uint8_t> pixels = pixels_of(images);
  const auto copy = fuzz::input_file("", "copy");
  io::write_idx_images(copy, {images.count, images.rows, images.columns}, pixels);
  const io::IdxImages again = io::read_idx_images(copy);
  fuzz::require(again.count == images.count && again.rows == images.rows && again.columns == images.columns &&
                    pixels_of(again) == pixels,
                "written images are read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  const auto path = fuzz::input_file(bytes);
  const auto images = images_in(path);
  const auto labels = labels_in(path);
  fuzz::require(!images || !labels, "a file holds either images or labels");
  if (images) check_images(*images);
  if (fuzz::is_gzip(bytes)) return 0;
  const auto packed = fuzz::input_file(fuzz::gzip({reinterpret_cast<const char*>(data), size}), "packed");
  const auto packed_images = images_in(packed);
  fuzz::require(images.has_value() == packed_images.has_value() && labels == labels_in(packed),
                "gzip makes no difference to labels");
  fuzz::require(!images || pixels_of(*images) == pixels_of(*packed_images),
                "gzip makes no difference to images");
  return 0;
}
