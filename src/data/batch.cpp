#include <algorithm>
#include <cmath>

#include "gpuvae/data.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/math/philox.h"
#include "src/core/random.h"

namespace gpuvae {
namespace {

void check_images(const Tensor& images, const BatchOptions& options) {
  check((images.dtype() == DType::u8 || images.dtype() == DType::f32) && images.shape().rank() == 2,
        "gather_batch", "expected images of u8 or f32 [count, pixels], got {}", images);
  const bool drawn = options.binarize == Binarize::fixed || options.binarize == Binarize::dynamic;
  check(!drawn || images.dtype() == DType::u8, "gather_batch",
        "expected u8 images to draw binary pixels from, got {}", images);
  check(options.binarize != Binarize::threshold || std::isfinite(options.threshold), "gather_batch",
        "expected a finite threshold, got {}", options.threshold);
}

std::int64_t rows_of(const Tensor& images, std::int64_t batch_size, const Clock& clock) {
  const std::int64_t count = images.shape()[0];
  check(batch_size > 0, "gather_batch", "expected a batch size of 1 or more, got {}", batch_size);
  check(count > 0 && count <= INT32_MAX, "gather_batch", "expected 1 to 2^31-1 images, got {}", count);
  check(clock.steps_per_epoch > 0 &&
            std::int64_t(clock.steps_per_epoch - 1) < (count + batch_size - 1) / batch_size,
        "gather_batch", "expected 1 to {} batches per epoch, got {}", (count + batch_size - 1) / batch_size,
        clock.steps_per_epoch);
  const auto batch = static_cast<std::int64_t>(clock.step % clock.steps_per_epoch);
  return std::min(batch_size, count - batch * batch_size);
}

}  // namespace

Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype, std::int64_t rows) {
  check_images(images, options);
  check(rows >= 0 && rows <= batch_size, "gather_batch", "expected at most {} rows, got {}", batch_size,
        rows);
  if (rows == 0) rows = clock.device_step ? batch_size : rows_of(images, batch_size, clock);
  const Device device = images.device();
  Batch batch{Tensor::empty({rows, images.shape()[1]}, dtype, device),
              Tensor::empty({rows}, DType::i32, device)};
  kernels::GatherArgs args{.dtype = dtype, .rows = rows, .columns = images.shape()[1], .batch = batch_size};
  args.count = images.shape()[0];
  args.source = images.dtype();
  args.data = images.data();
  args.shuffle = options.shuffle;
  args.binarize = options.binarize;
  args.threshold = options.threshold;
  args.seed = options.seed;
  args.clock = kernel_clock("gather_batch", clock, device);
  args.out = batch.x.data();
  args.samples = batch.samples.data_as<std::int32_t>();
  device.backend().gather(args, Stream::current(device).handle());
  return batch;
}

namespace unfused {

Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype) {
  check(options.binarize == Binarize::none && !clock.device_step, "gather_batch",
        "the unfused implementation neither binarizes nor reads a device step");
  check_images(images, options);
  const std::int64_t rows = rows_of(images, batch_size, clock), count = images.shape()[0];
  const auto first = static_cast<std::int64_t>(clock.step % clock.steps_per_epoch) * batch_size;
  std::vector<std::int32_t> order;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto position = static_cast<std::uint32_t>(first + r);
    order.push_back(static_cast<std::int32_t>(
        options.shuffle ? shuffled_index(position, static_cast<std::uint32_t>(count), options.seed,
                                         clock.step / clock.steps_per_epoch)
                        : position));
  }
  const Device device = images.device();
  Tensor x = Tensor::empty({rows, images.shape()[1]}, dtype, device);
  for (std::int64_t r = 0; r < rows; ++r) x.slice(r, 1).copy_from(images.slice(order[r], 1).to(dtype));
  kernels::UnaryArgs scale{.dtype = dtype, .size = x.elements()};
  scale.a = images.dtype() == DType::u8 ? 1.0 / 255 : 1;
  scale.x = x.data();
  scale.y = x.data();
  device.backend().unary(scale, Stream::current(device).handle());
  return {x, Tensor::from(order, {rows}, device)};
}

}  // namespace unfused
}  // namespace gpuvae
