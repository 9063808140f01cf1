// Values that no arithmetic yields from ordinary numbers.
#pragma once

#include <limits>

namespace gpuvae::test {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace gpuvae::test
