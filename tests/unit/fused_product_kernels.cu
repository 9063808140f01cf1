// One tile of the fused step's products, alone, so that a test sees its error.
#include "tests/unit/fused_product_kernels.h"

#include "kernels/cuda/fused_product.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

template <Multiply kHow, class T>
__global__ void product_kernel(const float* a, const float* b, float* c, int depth, Split split) {
  float* memory = dynamic_shared_floats();
  const auto rows = [=](const float* matrix) {
    return loaded([=](int k, int outer, int inner) {
      Floats<4> x{};
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (k + inner + i < depth) x[i] = matrix[outer * depth + k + inner + i];
      return x;
    });
  };
  store_piece<T>(memory, multiply_tile<kHow, T>(memory, depth, rows(a), rows(b), split));
  for_tile<T>(memory,
              [&](int row, int column, const Floats<4>& sums) { store<4>(c + row * T::kN + column, sums); });
}

template <class T>
void run(Multiply how, const float* a, const float* b, float* c, int depth, Split split) {
  const auto kernel = how == Multiply::ffma   ? product_kernel<Multiply::ffma, T>
                      : how == Multiply::tf32 ? product_kernel<Multiply::tf32, T>
                                              : product_kernel<Multiply::bf16, T>;
  launch({"product", "product_kernel", 1, kThreads, depth, nullptr, false, T::kFloats * sizeof(float)},
         kernel, a, b, c, depth, split);
}

}  // namespace

void fused_product(int how, int tile, const float* a, const float* b, float* c, int depth, bool split_a,
                   bool split_b) {
  const Split split{split_a, split_b};
  if (tile == 16)
    run<Tile<16, 16, 64, false, false>>(static_cast<Multiply>(how), a, b, c, depth, split);
  else
    run<Tile<32, 32, 64, false, false>>(static_cast<Multiply>(how), a, b, c, depth, split);
}

}  // namespace gpuvae::kernels
