// Uniform and normal random numbers, which depend only on their position.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/noise.cuh"

namespace gpuvae::kernels {
namespace {

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) random_kernel(RandomArgs args) {
  float* out = static_cast<float*>(args.out);
  const std::uint64_t time = noise_time(args.noise);
  const float shift = static_cast<float>(args.a);
  const float scale = static_cast<float>(args.normal ? args.b : args.b - args.a);
  for_column_groups(args.rows, args.columns, [&](ColumnGroup g) {
    const Philox4x32 bits = noise_bits(args.noise, time, g.row, g.column);
    Floats<4> x;
    if (args.normal) {
      normal4(bits, x.v);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k) x[k] = uniform01(bits.v[k]);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = shift + scale * x[k];
    store_some<Aligned>(out + g.row * args.columns + g.column, x, g.count);
  });
}

}  // namespace

void CudaBackend::run(const RandomArgs& args, StreamHandle stream) {
  require_f32("random", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.out);
  const std::int64_t grid = blocks(args.rows * ceil_div(args.columns, 4), kThreads);
  launch({"random", "random_kernel", grid, kThreads, args.rows * args.columns, stream},
         aligned ? random_kernel<true> : random_kernel<false>, args);
}

}  // namespace gpuvae::kernels
