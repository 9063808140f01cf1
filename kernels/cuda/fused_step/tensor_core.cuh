// A warp's matrix product d += a b on tensor cores, as a thin layer over PTX.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace gpuvae::kernels {
namespace {

#if __CUDA_ARCH__ >= 800
#define GPUVAE_TENSOR_CORES 1
#else
#define GPUVAE_TENSOR_CORES 0  // the host launches no kernel that needs them
#endif
// Kernels of the fused step are empty for older architectures, on which they never run. This saves half a
// minute of build time.
inline constexpr bool kTensorCores = GPUVAE_TENSOR_CORES != 0;

// Returns the nearest TF32 number (8 bits of exponent, 10 of fraction) as the bits of an f32. Ties round away
// from zero.
__device__ __forceinline__ std::uint32_t to_tf32(float x) {
#if GPUVAE_TENSOR_CORES
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#else
  return __float_as_uint(x);
#endif
}

// Returns the bfloat16 numbers nearest to `low` and `high`, with `low` in the lower half. Ties round to even.
__device__ __forceinline__ std::uint32_t to_bf16_pair(float low, float high) {
  const auto rounded = [](float x) {
    const std::uint32_t bits = __float_as_uint(x);
    return x == x ? (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16 : 0x7fffu;
  };
  return rounded(low) | rounded(high) << 16;
}

// a is 16 x 8, and b is 8 x 8. Lane 4 g + t passes these elements of a and b and holds these of d:
//   a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
//   b: (t, g), (t + 4, g)
//   d: (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1)
__device__ __forceinline__ void mma_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
#if GPUVAE_TENSOR_CORES
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// a is 16 x 16, and b is 16 x 8. Lane 4 g + t passes pairs of neighbouring k that begin at these elements:
//   a: (g, 2 t), (g + 8, 2 t), (g, 2 t + 8), (g + 8, 2 t + 8)
//   b: (2 t, g), (2 t + 8, g)
__device__ __forceinline__ void mma_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
#if GPUVAE_TENSOR_CORES
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

}  // namespace
}  // namespace gpuvae::kernels
