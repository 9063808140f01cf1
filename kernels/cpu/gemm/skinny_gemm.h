// Small matrix products of which one dimension is short. They take less time than the fixed cost of a oneDNN
// call.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes an f32 product with its bias and activation on the calling thread. m, n and k must not be 0.
// Returns false and writes nothing if oneDNN is faster. This choice depends only on the shape and the layout,
// so results are bitwise identical for any number of threads.
bool skinny_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
