// The gate of a gated dense layer, forward and backward.
#include "kernels/math/gate.h"

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) gate_kernel(GateArgs args) {
  const float* x = static_cast<const float*>(args.x);
  float* y = static_cast<float*>(args.y);
  for_column_groups(args.rows, args.columns, [&](ColumnGroup at) {
    const float* h = x + 2 * at.row * args.columns + at.column;
    Floats<4> value = load_some<Aligned>(h, at.count);
    const Floats<4> gate = load_some<Aligned>(h + args.columns, at.count);
#pragma unroll
    for (int k = 0; k < 4; ++k) value[k] = math::gated(value[k], gate[k]);
    store_some<Aligned>(y + at.row * args.columns + at.column, value, at.count);
  });
}

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) gate_backward_kernel(GateBackwardArgs args) {
  const float* x = static_cast<const float*>(args.x);
  const float* d_y = static_cast<const float*>(args.d_y);
  float* d_x = static_cast<float*>(args.d_x);
  for_column_groups(args.rows, args.columns, [&](ColumnGroup at) {
    const std::int64_t i = 2 * at.row * args.columns + at.column;
    Floats<4> value = load_some<Aligned>(x + i, at.count);
    Floats<4> gate = load_some<Aligned>(x + i + args.columns, at.count);
    const Floats<4> d = load_some<Aligned>(d_y + at.row * args.columns + at.column, at.count);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const auto slopes = math::gated_slopes(value[k], gate[k]);
      value[k] = d[k] * slopes.h;
      gate[k] = d[k] * slopes.g;
    }
    store_some<Aligned>(d_x + i, value, at.count);
    store_some<Aligned>(d_x + i + args.columns, gate, at.count);
  });
}

}  // namespace

void CudaBackend::run(const GateArgs& args, StreamHandle stream) {
  require_f32("gate", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.x, args.y);
  launch({"gate", "gate_kernel", blocks(args.rows * ceil_div(args.columns, 4), kThreads), kThreads,
          args.rows * args.columns, stream},
         aligned ? gate_kernel<true> : gate_kernel<false>, args);
}

void CudaBackend::run(const GateBackwardArgs& args, StreamHandle stream) {
  require_f32("gate_backward", args.dtype);
  const DeviceGuard on(device_);
  const bool aligned = args.columns % 4 == 0 && aligned16(args.x, args.d_y, args.d_x);
  launch({"gate_backward", "gate_backward_kernel", blocks(args.rows * ceil_div(args.columns, 4), kThreads),
          kThreads, args.rows * args.columns, stream},
         aligned ? gate_backward_kernel<true> : gate_backward_kernel<false>, args);
}

}  // namespace gpuvae::kernels
