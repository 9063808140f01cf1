// EXIF, the metadata of photographs. Only the orientation is read.
#pragma once

#include <string_view>

#include "src/io/image.h"

namespace gpuvae::io {

// Returns the orientation, 1 to 8, that a block of EXIF gives the image. `tiff` is the block from its TIFF
// header ("II" or "MM") on. Returns 1, which changes nothing, if the block has none or is damaged.
int exif_orientation(std::string_view tiff);

// Returns the image as it is meant to be seen. Orientations 5 to 8 exchange rows and columns.
Gray oriented(Gray image, int orientation);

}  // namespace gpuvae::io
