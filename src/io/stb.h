// The function of stb that the library uses. stb is compiled privately in stb.cpp, because programs that
// link the library often contain their own copy of stb.
#pragma once

#include <string>

#include "src/io/image.h"

namespace gpuvae::io {

// Returns the bytes of a PNG file, or an empty string if memory runs out. `image` must have (width + 1) *
// height < 2^31.
std::string encode_png(const Gray& image);

}  // namespace gpuvae::io
