// The backward pass of a dense layer's activation, which also computes the bias gradient.
#include "kernels/math/functions.h"

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/column_sum.cuh"

namespace gpuvae::kernels {
namespace {

// Activations whose slope is computed from the input have separate kernels, because GELU's slope needs so
// many registers that the other activations would lose occupancy.

// Returns d_input of the N elements at i, and stores it if args.d_input is not null.
template <int N, bool kFromOutput>
__device__ __forceinline__ Floats<N> input_gradient(const ActivationBackwardArgs& args, std::int64_t i) {
  Floats<N> d = load<N>(static_cast<const float*>(args.d_output) + i);
  if (args.activation != Activation::identity) {
    const Floats<N> v = load<N>(static_cast<const float*>(args.saved) + i);
    if constexpr (kFromOutput) {
      math::apply_slope<math::SlopeFromOutput>(args.activation, v.v, d.v);
    } else {
      math::apply_slope<math::SlopeFromInput>(args.activation, v.v, d.v);
    }
  }
  if (args.d_input) store(static_cast<float*>(args.d_input) + i, d);
  return d;
}

template <bool kFromOutput>
__global__ void __launch_bounds__(kThreads)
    activation_backward_kernel(ActivationBackwardArgs args, bool vectors) {
  for_elements(args.rows * args.columns, vectors, [&](auto width, std::int64_t i) {
    input_gradient<decltype(width)::value, kFromOutput>(args, i);
  });
}

template <int N, bool kFromOutput>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    activation_bias_backward_kernel(ActivationBackwardArgs args, ColumnTiling tiling, Scratch scratch) {
  column_sum<N>(
      tiling, scratch,
      [&](std::int64_t row, std::int64_t column) {
        return input_gradient<N, kFromOutput>(args, row * args.columns + column);
      },
      [&](std::int64_t column, float sum) {
        float* d_bias = static_cast<float*>(args.d_bias) + column;
        *d_bias = args.accumulate_bias ? *d_bias + sum : sum;
      });
}

}  // namespace

void CudaBackend::run(const ActivationBackwardArgs& args, StreamHandle stream) {
  require_f32("activation_backward", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = args.rows * args.columns;
  const bool identity = args.activation == Activation::identity;
  const bool from_output = math::slope_from_output(args.activation);
  const bool aligned = aligned16(identity ? nullptr : args.saved, args.d_output, args.d_input);
  if (args.d_bias) {
    // Slopes that are computed from the input are computed one element at a time, because the registers do
    // not suffice for GELU's slope at four elements.
    const int width = from_output && aligned && args.columns % 4 == 0 ? 4 : 1;
    const ColumnTiling tiling = column_tiling(args.rows, args.columns, width, 4 * multiprocessors_);
    launch({"activation_backward", "activation_bias_backward_kernel", tiling.row_tiles * tiling.column_tiles,
            dim3(kColumnThreads, kRowThreads), size, stream},
           !from_output ? activation_bias_backward_kernel<1, false>
           : width == 4 ? activation_bias_backward_kernel<4, true>
                        : activation_bias_backward_kernel<1, true>,
           args, tiling, scratch(stream));
  } else if (args.d_input && !(identity && args.d_input == args.d_output)) {
    launch({"activation_backward", "activation_backward_kernel", blocks(size, kThreads * (aligned ? 4 : 1)),
            kThreads, size, stream},
           from_output ? activation_backward_kernel<true> : activation_backward_kernel<false>, args, aligned);
  }
}

}  // namespace gpuvae::kernels
