// The warp's matrix products on tensor cores, for kernels/cuda/tensor_core.cuh, which has inline PTX in their
// place under nvcc. Fragments lie as PTX says (mma.sync.m16n8k8 of .tf32, m16n8k16 of .bf16). Products are
// exact and their sum is rounded once. Included by simt.h.
#pragma once

namespace simt {

// cvt.rna: to nearest, ties away from zero, keeping all but the lowest `dropped` bits. NaN stays NaN.
inline std::uint32_t round_away(float x, int dropped) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return 0x7fffffffu;
  return (bits + (1u << (dropped - 1))) & ~((1u << dropped) - 1);
}

// Lane 4 g + t holds rows g and g + 8 of a and d, column g of b. Tensor cores ignore the low bits of TF32.
struct Tf32Fragments {
  std::uint32_t a[4], b[2];
};
inline void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                             Where where) {
  const auto all = gather("mma.sync", ~0u, Tf32Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, where);
  const auto value = [](std::uint32_t bits) { return double{std::bit_cast<float>(bits & ~0x1fffu)}; };
  const int g = all.self / 4, t = all.self % 4;
  for (int i = 0; i < 4; ++i) {
    const int column = 2 * t + i % 2;
    double sum = d[i];
    for (int k = 0; k < 8; ++k)
      sum += value(all[4 * g + k % 4].a[i / 2 + 2 * (k / 4)]) * value(all[4 * column + k % 4].b[k / 4]);
    d[i] = static_cast<float>(sum);
  }
}

struct Bf16Fragments {
  std::uint32_t a[4], b[2];  // pairs, the lower k in the lower half
};
inline void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                              Where where) {
  const auto all = gather("mma.sync", ~0u, Bf16Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, where);
  const auto value = [](std::uint32_t pair, int half) {
    return double{std::bit_cast<float>(half ? pair & 0xffff0000u : pair << 16)};
  };
  const int g = all.self / 4, t = all.self % 4;
  for (int i = 0; i < 4; ++i) {
    const int column = 2 * t + i % 2;
    double sum = d[i];
    for (int k = 0; k < 16; ++k) {
      const int owner = k % 8 / 2;
      sum += value(all[4 * g + owner].a[i / 2 + 2 * (k / 8)], k % 2) *
             value(all[4 * column + owner].b[k / 8], k % 2);
    }
    d[i] = static_cast<float>(sum);
  }
}

}  // namespace simt
