// EXIF, the metadata of photographs. Only the orientation is read.
#pragma once

#include <string_view>

#include "src/io/image.h"

namespace gpuvae::io {

// Returns the orientation, 1 to 8, that a block of EXIF data specifies. `tiff` is this block, beginning with
// its TIFF header ("II" or "MM"). Returns 1, which means no change, if the block specifies none or is
// damaged.
int exif_orientation(std::string_view tiff);

// Returns the image turned and mirrored as `orientation` requires. Orientations 5 to 8 exchange rows and
// columns.
Gray oriented(Gray image, int orientation);

}  // namespace gpuvae::io
