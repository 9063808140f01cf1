// Computes one tile of the fused step's products alone, so that a test can measure its error.
#include "tests/kernels/fused_product_kernels.h"

#include "kernels/cuda/fused_step/fused_product.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

// Loads rows of a [kRows, depth] matrix. With `bytes`, it holds integers of at most 8 bits.
template <class P>
struct TestRows {
  struct Fetched {
    Floats<4> groups[P::kGroups];
  };
  const float* matrix;
  int depth;
  bool bytes;

  __device__ bool holds_bytes() const { return bytes; }
  __device__ Fetched fetch(int k) const {
    Fetched fetched;
    P::for_groups([&](int i, int outer, int inner) {
#pragma unroll
      for (int j = 0; j < 4; ++j)
        fetched.groups[i][j] = k + inner + j < depth ? matrix[outer * depth + k + inner + j] : 0.0f;
    });
    return fetched;
  }
  __device__ void commit(const Fetched& fetched, int, float* panel) const {
    P::for_groups([&](int i, int outer, int inner) {
      store_shared(panel + outer * P::kStride + inner, fetched.groups[i]);
    });
  }
};

template <Multiply kHow, class T>
__global__ void product_kernel(const float* a, const float* b, float* c, int depth, bool bytes_a,
                               bool bytes_b) {
  float* memory = dynamic_shared_floats();
  auto product = product_of<kHow, T>(TestRows<typename T::A>{a, depth, bytes_a},
                                     TestRows<typename T::B>{b, depth, bytes_b}, depth);
  product.fetch_b();
  product.fetch_a();
  store_piece<T>(memory, product.run(memory));
  for (int i = 0; i < T::kElements; ++i) {
    const int row = element_row(T::kN, i), column = element_column(T::kN);
    c[row * T::kN + column] = tile_sum<T>(memory, row, column);
  }
}

template <class T>
double run(const FusedProduct& p) {
  const auto how = static_cast<Multiply>(p.how);
  const auto kernel = how == Multiply::ffma         ? product_kernel<Multiply::ffma, T>
                      : how == Multiply::tf32       ? product_kernel<Multiply::tf32, T>
                      : how == Multiply::split_tf32 ? product_kernel<Multiply::split_tf32, T>
                                                    : product_kernel<Multiply::bf16, T>;
  launch({"product", "product_kernel", 1, kThreads, p.depth, nullptr, false, T::kFloats * sizeof(float)},
         kernel, p.a, p.b, p.c, p.depth, p.bytes_a, p.bytes_b);
  const double additions = static_cast<double>(ceil_div(p.depth, 8 * T::kShares)) + T::kShares;
  return (kSplitError + kStepError + additions) * 0x1p-24;
}

}  // namespace

double fused_product(const FusedProduct& p) {
  return p.tile == 16 ? run<Tile<16, 16, 256, 1, false, false>>(p)
                      : run<Tile<32, 32, 128, 1, false, false>>(p);
}

}  // namespace gpuvae::kernels
