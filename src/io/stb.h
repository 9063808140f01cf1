// The functions of stb that the library uses. stb is compiled privately in stb.cpp, because programs that
// link the library often contain their own copy of stb.
#pragma once

#include <string>
#include <string_view>

#include "src/io/image.h"

namespace gpuvae::io {

// Returns the bytes of a PNG file, or an empty string if memory runs out. `image` must have (width + 1) *
// height < 2^31.
std::string encode_png(const Gray& image);

// Decodes a PNG, JPEG, BMP or PNM file of less than 2^31 bytes. Returns null, or the reason for a failure.
const char* decode_image(std::string_view bytes, Gray& image);

}  // namespace gpuvae::io
