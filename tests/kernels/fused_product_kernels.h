#pragma once

namespace gpuvae::kernels {

// The arguments of fused_product(), which computes c[tile, tile] = a b^T on the device. a and b are [tile,
// depth], and tile is 16 or 32. `how` is a Multiply: 0 is ffma, 1 TF32, 2 split TF32, 3 bf16. With bytes_a or
// bytes_b, the elements of that factor are integers of at most 8 bits.
struct FusedProduct {
  int how = 0, tile = 16, depth = 0;
  const float* a = nullptr;
  const float* b = nullptr;
  float* c = nullptr;
  bool bytes_a = false, bytes_b = false;
};

// Computes the product and returns the error bound of split TF32, relative to the sum of |a b|
// (kernels/cuda/fused_step/fused_product.cuh).
double fused_product(const FusedProduct& product);

}  // namespace gpuvae::kernels
