#pragma once

namespace gpuvae::kernels {

// c[tile, tile] = a b^T on the device, a and b [tile, depth], tile 16 or 32; `how` is a Multiply: 0 ffma, 1
// TF32, 2 bf16. `split_a`, `split_b`: of TF32, whether the factor is split in two.
void fused_product(int how, int tile, const float* a, const float* b, float* c, int depth, bool split_a,
                   bool split_b);

}  // namespace gpuvae::kernels
