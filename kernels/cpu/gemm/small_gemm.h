// Matrix products of a few thousand multiplications, for which the call of oneDNN would take longer than the
// product.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Computes a small f32 product with its bias and activation on the calling thread. m, n and k must not be 0.
// Returns false and writes nothing if the product is too large. Each element of c is the sum of its terms in
// the order of k, with one rounding per term if the processor has fused multiply-add instructions.
bool small_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
