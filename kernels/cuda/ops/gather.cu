// Gathers a batch from a data set in device memory: shuffles, scales and binarizes in one pass.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/ops/batch_values.cuh"

namespace gpuvae::kernels {
namespace {

// Each row of the block's threads processes one row of the batch. All threads of a row compute the row's
// sample, because that is as cheap as computing it in one thread and needs no barrier.
template <class Source, bool Aligned>
__global__ void __launch_bounds__(kThreads) gather_kernel(GatherArgs args) {
  float* out = static_cast<float*>(args.out);
  const std::uint64_t step = finished_steps(args.clock), per_epoch = steps_per_epoch(args.clock);
  const std::uint64_t epoch = step / per_epoch;
  const std::int64_t first = static_cast<std::int64_t>(step - epoch * per_epoch) * args.batch;
  const std::int64_t rows = args.count - first < args.rows ? args.count - first : args.rows;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.y;
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; row < rows;
       row += stride) {
    std::uint32_t sample = static_cast<std::uint32_t>(first + row);
    if (args.shuffle)
      sample = shuffled_index(sample, static_cast<std::uint32_t>(args.count), args.seed, epoch);
    if (args.samples && threadIdx.x == 0) args.samples[row] = static_cast<std::int32_t>(sample);
    const std::int64_t source_row = args.staged ? row : std::int64_t{sample};
    const Source* values = static_cast<const Source*>(args.data) + source_row * args.columns;
    for (std::int64_t column = 4 * threadIdx.x; column < args.columns; column += 4 * blockDim.x) {
      const std::int64_t left = args.columns - column;
      const int count = left < 4 ? static_cast<int>(left) : 4;
      const Floats<4> x =
          binarized<Source>(args, load_values<Aligned>(values + column, count), epoch, sample, column);
      store_some<Aligned>(out + row * args.columns + column, x, count);
    }
  }
}

}  // namespace

void CudaBackend::run(const GatherArgs& args, StreamHandle stream) {
  require_f32("gather", args.dtype);
  const DeviceGuard on(device_);
  const bool bytes = args.source == DType::u8;
  const bool aligned = args.columns % 4 == 0 && aligned16(args.out) &&
                       reinterpret_cast<std::uintptr_t>(args.data) % (bytes ? sizeof(uchar4) : 16) == 0;
  unsigned threads = 32;  // threads per row
  while (threads < kThreads && 4 * threads < args.columns) threads *= 2;
  const unsigned rows_per_block = kThreads / threads;
  launch({"gather", "gather_kernel", blocks(args.rows, rows_per_block), dim3(threads, rows_per_block),
          args.rows * args.columns, stream},
         bytes ? (aligned ? gather_kernel<std::uint8_t, true> : gather_kernel<std::uint8_t, false>)
               : (aligned ? gather_kernel<float, true> : gather_kernel<float, false>),
         args);
}

}  // namespace gpuvae::kernels
