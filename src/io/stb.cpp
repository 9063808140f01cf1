#include "src/io/stb.h"

#include <zlib.h>

#include <cstdlib>
#include <string>

namespace {

// Replaces stb's deflate, which compresses less. stb frees the result, so it is allocated with malloc.
unsigned char* compress_with_zlib(unsigned char* data, int size, int* compressed_size, int level) {
  uLongf bytes = compressBound(static_cast<uLong>(size));
  auto* compressed = static_cast<unsigned char*>(std::malloc(bytes));
  if (!compressed) return nullptr;
  if (compress2(compressed, &bytes, data, static_cast<uLong>(size), level) != Z_OK) {
    std::free(compressed);
    return nullptr;
  }
  *compressed_size = static_cast<int>(bytes);
  return compressed;
}

// The name of the program that made a PNG, as a tEXt chunk of the PNG specification (11.3.4.3).
std::string software_chunk() {
  const auto big_endian = [](unsigned long number) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 255);
    return bytes;
  };
  const std::string body("tEXtSoftware\0gpuvae", 19);
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<unsigned long>(body.size() - 4)) + body + big_endian(crc);
}

}  // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ZLIB_COMPRESS compress_with_zlib
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace gpuvae::io {

std::string encode_png(const Gray& image) {
  std::string bytes;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data),
                                               static_cast<std::size_t>(size));
  };
  stbi_write_png_to_func(append, &bytes, image.width, image.height, 1, image.pixels.data(), image.width);
  constexpr std::size_t kEndOfHeader = 33;  // the signature and the chunk IHDR
  if (!bytes.empty()) bytes.insert(kEndOfHeader, software_chunk());
  return bytes;
}

}  // namespace gpuvae::io
