// Small matrix products with a short side, which take less time than oneDNN's overhead per call.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes a complete f32 product, whose sizes must not be 0, on the calling thread. Returns false and writes
// nothing if oneDNN is faster. The choice depends only on the shape, so that results have the same bits for
// any number of threads.
bool skinny_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
