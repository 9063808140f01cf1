// Constants of the densities.
#pragma once

namespace gpuvae {

inline constexpr double kHalfLogTwoPi = 0.918938533204672742;  // log(2 pi) / 2

}  // namespace gpuvae
