// Matrix products with a factor whose zeros are clustered, such as images with a black background.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes a complete f32 product, whose sizes must not be 0. Returns false and writes nothing if a sample of
// the factors contains too few zeros to be faster than oneDNN. Zeros are skipped, so their products with
// infinity or NaN do not appear. Sums are taken in the same order for any number of threads.
bool sparse_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
