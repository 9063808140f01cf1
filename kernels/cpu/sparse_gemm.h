// Products with a factor whose zeros lie together, such as images on a black ground.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Does all of an f32 product (none of whose sizes is 0), and returns whether it did: false, with nothing
// written, where a sample of the factors shows too few zeros to be faster than oneDNN. Zeros are passed over,
// so that their products with infinity or NaN do not show. Sums are taken in the same order at any number of
// threads.
bool sparse_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
