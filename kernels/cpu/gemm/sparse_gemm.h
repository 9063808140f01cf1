// Matrix products with a factor whose zeros are clustered, such as a batch of images with a black background.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes an f32 product with its bias and activation. m, n and k must not be 0. Returns false and writes
// nothing if a sample of each factor contains too few zeros for this method to be faster than oneDNN. Because
// zeros are skipped, 0 * infinity and 0 * NaN may count as 0. Sums are taken in the same order for any number
// of threads.
bool sparse_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
