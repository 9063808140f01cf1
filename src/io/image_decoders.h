// The decoders of image files that read_image() calls, one per format, and what they share.
#pragma once

#include <climits>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/check.h"
#include "src/io/image.h"

namespace gpuvae::io {

// The content of an image file, with the path and the format that errors name.
struct ImageSource {
  std::string path;
  std::string_view format;  // "PNG"
  std::string_view bytes;

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> reason, Args&&... args) const {
    fail(file_error("read"), "{}: not a readable {} image: {}", path, format,
         fmt::format(reason, std::forward<Args>(args)...));
  }
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> reason, Args&&... args) const {
    if (!condition) [[unlikely]]
      refuse(reason, std::forward<Args>(args)...);
  }
  // Call this before any allocation for pixels. `capacity` is the largest number of pixels that a file of
  // this length can hold.
  void check_size(std::uint64_t width, std::uint64_t height, std::uint64_t capacity) const {
    require(width > 0 && height > 0, "expected at least one pixel, got {} x {}", width, height);
    require(width <= INT_MAX && height <= INT_MAX && width * height <= INT_MAX,
            "expected fewer than 2^31 pixels, got {} x {}", width, height);
    require(width * height <= capacity,
            "damaged or truncated: {} x {} pixels, but a file of {} bytes holds at most {} pixels", width,
            height, bytes.size(), capacity);
  }
};

struct DecodedImage {
  Gray image;
  ImageChanges changes;
};

// Each decoder throws Error "[read] path: not a readable FORMAT image: reason" for a file that is damaged or
// truncated, or whose pixels have no defined meaning. Bytes after the end of a PNG, JPEG or BMP image are
// ignored, as other programs do.

// Reads every colour type and depth, interlaced or not, at most 1,000,000 pixels wide and high. The CRC of
// every chunk must be correct. gAMA chunks and colour profiles are ignored. An animation (APNG) of several
// frames is refused.
DecodedImage decode_png(const ImageSource& source);
// Reads grey, YCbCr and RGB images, and CMYK and YCCK as Adobe's programs write them: baseline or
// progressive, 8 bits per sample. Arithmetic coding is not supported, because it sets no limit on the number
// of pixels per byte.
DecodedImage decode_jpeg(const ImageSource& source);
// Reads P1 to P6, ASCII and binary, with a maximum sample of 1 to 65535. Nothing may follow the pixels of a
// binary file, and only white space and comments may follow those of an ASCII file.
DecodedImage decode_pnm(const ImageSource& source);
// Reads uncompressed pixels of 1, 4, 8, 24 or 32 bits.
DecodedImage decode_bmp(const ImageSource& source);

}  // namespace gpuvae::io
