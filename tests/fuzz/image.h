// What the targets of image files share.
#pragma once

#include "src/io/image.h"
#include "tests/fuzz/fuzz.h"

namespace gpuvae::fuzz {

// Reads an image. One that is accepted must have as many pixels as it says, and the same pixels after it was
// written as PNG and as PGM.
void check_image(std::span<const std::uint8_t> bytes);

}  // namespace gpuvae::fuzz
