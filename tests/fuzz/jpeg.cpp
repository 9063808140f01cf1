// JPEG images, and EXIF data alone, because they are a small part of an image.
#include "src/io/exif.h"
#include "tests/fuzz/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuvae;
  fuzz::check_image({data, size});
  const int orientation = io::exif_orientation({reinterpret_cast<const char*>(data), size});
  fuzz::require(orientation >= 1 && orientation <= 8, "an orientation is 1 to 8");
  return 0;
}
