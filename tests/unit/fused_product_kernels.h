#pragma once

namespace gpuvae::kernels {

// c[tile, tile] = a b^T on the device, a and b [tile, depth], tile 16 or 32; `how` is a Multiply: 0 ffma, 1
// split TF32, 2 TF32, 3 bf16. `exact_a`: a holds small integers.
void fused_product(int how, int tile, const float* a, const float* b, float* c, int depth, bool exact_a);

}  // namespace gpuvae::kernels
