// The importance weights of the draws of an example.
#pragma once

namespace gpuvae::math {

// A weight below this share of the largest weight of its group has the gradient 0 in f32. It adds nothing
// that f32 can represent beside the largest one, but the products of its gradient with other small numbers
// would be subnormal, which makes the matrix products of a CPU several times slower.
inline constexpr double kLeastShare = 1e-15;

}  // namespace gpuvae::math
