// Runs Philox4x32-10 of cuRAND and of gpuvae side by side.
#include <curand_kernel.h>

#include "gpuvae/device/random.h"

// Each thread uses one counter and one key and writes four words of each implementation.
extern "C" __global__ void philox(const uint4* counters, const uint2* keys, uint4* of_curand,
                                  uint4* of_gpuvae, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const uint4 c = counters[i];
  const uint2 k = keys[i];
  of_curand[i] = curand_Philox4x32_10(c, k);
  const gpuvae::Philox4x32 r =
      gpuvae::philox4x32(c.x, c.y, c.z, c.w, static_cast<std::uint64_t>(k.y) << 32 | k.x);
  of_gpuvae[i] = make_uint4(r.v[0], r.v[1], r.v[2], r.v[3]);
}
