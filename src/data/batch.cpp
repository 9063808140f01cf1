#include <algorithm>
#include <cmath>

#include "gpuvae/data.h"
#include "gpuvae/device/random.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/core/random.h"
#include "src/data/batch.h"

namespace gpuvae {
namespace {

void check_images(const Tensor& images, const BatchOptions& options) {
  check_enumerator("gather_batch", "binarize", options.binarize);
  check((images.dtype() == DType::u8 || images.dtype() == DType::f32) && images.shape().rank() == 2,
        "gather_batch", "expected images of u8 or f32 [count, pixels], got {}", images);
  const bool drawn = options.binarize == Binarize::fixed || options.binarize == Binarize::dynamic;
  check(!drawn || images.dtype() == DType::u8, "gather_batch",
        "expected u8 images to draw binary pixels from, got {}", images);
  check(options.binarize != Binarize::threshold || std::isfinite(options.threshold), "gather_batch",
        "expected a finite threshold, got {}", options.threshold);
}

std::int64_t rows_of(std::int64_t count, std::int64_t batch_size, const Clock& clock) {
  check(batch_size > 0, "gather_batch", "expected a batch size of 1 or more, got {}", batch_size);
  check(count > 0 && count <= INT32_MAX, "gather_batch", "expected 1 to 2^31-1 images, got {}", count);
  check(clock.steps_per_epoch > 0 &&
            std::int64_t(clock.steps_per_epoch - 1) < (count + batch_size - 1) / batch_size,
        "gather_batch", "expected 1 to {} batches per epoch, got {}", (count + batch_size - 1) / batch_size,
        clock.steps_per_epoch);
  const auto batch = static_cast<std::int64_t>(clock.step % clock.steps_per_epoch);
  return std::min(batch_size, count - batch * batch_size);
}

// Gathers from `data`, which holds all `count` examples or, if `staged`, only the rows of the batch.
Batch gather(const Tensor& data, std::int64_t count, bool staged, std::int64_t batch_size, const Clock& clock,
             const BatchOptions& options, DType dtype, std::int64_t rows) {
  const Device device = data.device();
  Batch batch{Tensor::empty({rows, data.shape()[1]}, dtype, device),
              Tensor::empty({rows}, DType::i32, device)};
  kernels::GatherArgs args{.dtype = dtype, .rows = rows, .columns = data.shape()[1], .batch = batch_size};
  args.count = count;
  args.source = data.dtype();
  args.data = data.data();
  args.staged = staged;
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

void check_rows(std::int64_t rows, std::int64_t batch_size) {
  check(rows >= 0 && rows <= batch_size, "gather_batch", "expected at most {} rows, got {}", batch_size,
        rows);
}

// Returns the clock with its step as the host reads it.
Clock host_clock(const Clock& clock) {
  if (!clock.device_step) return clock;
  check(clock.device_step.device().is_cpu(), "gather_batch",
        "expected a step that the host can read, for examples that are read from a source, got one on {}",
        clock.device_step.device());
  const kernels::Clock on_cpu = kernel_clock("gather_batch", clock, Device::cpu());
  return {
      .step = clock.step + *on_cpu.device_step, .device_step = {}, .steps_per_epoch = clock.steps_per_epoch};
}

}  // namespace

Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype, std::int64_t rows) {
  check_images(images, options);
  check_rows(rows, batch_size);
  const std::int64_t count = images.shape()[0];
  if (rows == 0) rows = clock.device_step ? batch_size : rows_of(count, batch_size, clock);
  return gather(images, count, false, batch_size, clock, options, dtype, rows);
}

Batch gather_batch(const Dataset& set, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype, std::int64_t rows) {
  if (!set.source) return gather_batch(set.examples, batch_size, clock, options, dtype, rows);
  check_rows(rows, batch_size);
  const Clock on_host = host_clock(clock);
  const std::int64_t left = rows_of(set.count(), batch_size, on_host);
  check(rows <= left, "gather_batch", "expected at most {} rows, got {}", left, rows);
  if (rows == 0) rows = left;
  const std::vector<std::int64_t> examples =
      data::batch_examples(set.count(), batch_size, on_host.step, on_host.steps_per_epoch, options, rows);
  const Tensor staged = set.select(examples);
  return data::gather_staged(staged, set.count(), batch_size, on_host, options, dtype, rows);
}

namespace data {

std::vector<std::int64_t> batch_examples(std::int64_t count, std::int64_t batch_size, std::uint64_t step,
                                         std::uint64_t steps_per_epoch, const BatchOptions& options,
                                         std::int64_t rows) {
  const auto first = static_cast<std::int64_t>(step % steps_per_epoch) * batch_size;
  std::vector<std::int64_t> examples;
  examples.reserve(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto position = static_cast<std::uint32_t>(first + r);
    examples.push_back(options.shuffle ? shuffled_index(position, static_cast<std::uint32_t>(count),
                                                        options.seed, step / steps_per_epoch)
                                       : position);
  }
  return examples;
}

Batch gather_staged(const Tensor& staged, std::int64_t count, std::int64_t batch_size, const Clock& clock,
                    const BatchOptions& options, DType dtype, std::int64_t rows) {
  check_images(staged, options);
  return gather(staged, count, true, batch_size, clock, options, dtype, rows);
}

}  // namespace data

namespace unfused {

Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype) {
  check(options.binarize == Binarize::none && !clock.device_step, "gather_batch",
        "the unfused implementation neither binarizes nor reads a device step");
  check_images(images, options);
  const std::int64_t count = images.shape()[0], rows = rows_of(count, batch_size, clock);
  const std::vector<std::int64_t> examples =
      data::batch_examples(count, batch_size, clock.step, clock.steps_per_epoch, options, rows);
  const std::vector<std::int32_t> order(examples.begin(), examples.end());
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
