// PNG images, with transparency and EXIF orientation. png_mutator.cpp keeps their checksums valid.
#include "tests/fuzz/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gpuvae::fuzz::check_image({data, size});
  return 0;
}
