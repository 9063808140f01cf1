// Device functions that load and binarize the values of a batch.
#pragma once

#include "kernels/cuda/ops/noise.cuh"

namespace gpuvae::kernels {
namespace {

// Returns four bytes as floats from 0 to 255. If `Aligned` is false, only the first `count` are read, and the
// others are 0.
template <bool Aligned>
__device__ __forceinline__ Floats<4> load_bytes(const std::uint8_t* p, int count) {
  std::uint8_t bytes[4] = {};
  if constexpr (Aligned) {
    const uchar4 x = *reinterpret_cast<const uchar4*>(p);
    bytes[0] = x.x;
    bytes[1] = x.y;
    bytes[2] = x.z;
    bytes[3] = x.w;
  } else {
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (k < count) bytes[k] = p[k];
  }
  Floats<4> x;
#pragma unroll
  for (int k = 0; k < 4; ++k) x[k] = static_cast<float>(bytes[k]);
  return x;
}

// Returns byte / 255, correctly rounded for every byte, without the branch of a division.
__device__ __forceinline__ float unit_value(float byte) {
  constexpr float kInverse = 1.0f / 255.0f;
  const float quotient = byte * kInverse;
  return fmaf(fmaf(-quotient, 255.0f, byte), kInverse, quotient);
}

// Returns bytes as values in [0, 1] and floats without change.
template <bool Aligned>
__device__ __forceinline__ Floats<4> load_values(const std::uint8_t* p, int count) {
  Floats<4> x = load_bytes<Aligned>(p, count);
#pragma unroll
  for (int k = 0; k < 4; ++k) x[k] = unit_value(x[k]);
  return x;
}
template <bool Aligned>
__device__ __forceinline__ Floats<4> load_values(const float* p, int count) {
  return load_some<Aligned>(p, count);
}

// Binarizes x, the values column, ..., column + 3 of a sample. Floats (Source = float) are compared with the
// threshold and never drawn; a missing value stays NaN.
template <class Source = std::uint8_t>
__device__ __forceinline__ Floats<4> binarized(const GatherArgs& args, Floats<4> x, std::uint64_t epoch,
                                               std::uint32_t sample, std::int64_t column) {
  if (args.binarize == Binarize::none) return x;
  const float threshold = static_cast<float>(args.threshold);
  Floats<4> bound = {{threshold, threshold, threshold, threshold}};
  if (std::is_same_v<Source, std::uint8_t> && args.binarize != Binarize::threshold) {
    const std::uint64_t time = args.binarize == Binarize::dynamic ? epoch + 1 : 0;
    const Philox4x32 bits = random_block(args.seed, RandomPurpose::binarization, time, sample,
                                         static_cast<std::uint32_t>(column / 4));
#pragma unroll
    for (int k = 0; k < 4; ++k) bound[k] = uniform01(bits.v[k]);
  }
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (std::is_same_v<Source, std::uint8_t> || x[k] == x[k]) x[k] = x[k] > bound[k] ? 1.0f : 0.0f;
  return x;
}

}  // namespace
}  // namespace gpuvae::kernels
