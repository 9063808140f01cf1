// Small products with a short side, which cost less than oneDNN's overhead per call.
#pragma once

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Does all of an f32 product (none of whose sizes is 0) on the calling thread, and returns whether it did:
// false, with nothing written, where oneDNN is the faster. The choice rests on the shape alone, so that
// results have the same bits at any number of threads.
bool skinny_gemm(const GemmArgs& g);

}  // namespace gpuvae::kernels
