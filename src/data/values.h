// The range of a data set's values: its names and descriptions.
#pragma once

#include "gpuvae/data.h"

namespace gpuvae::data {

// The range of data that are bytes by their format, such as images.
inline constexpr ValueRange kByteRange{ValueKind::bytes, 0, 255, false};

}  // namespace gpuvae::data
