// What the library uses of stb. Its functions stay private to stb.cpp, because programs that link the library
// often bring an stb of their own.
#pragma once

#include <string>
#include <string_view>

#include "src/io/image.h"

namespace gpuvae::io {

// The bytes of a PNG file; empty where memory runs out. `image` must have (width + 1) * height < 2^31.
std::string encode_png(const Gray& image);

// Decodes a PNG, JPEG, BMP or PNM file of less than 2^31 bytes. Returns null, or why it could not.
const char* decode_image(std::string_view bytes, Gray& image);

}  // namespace gpuvae::io
