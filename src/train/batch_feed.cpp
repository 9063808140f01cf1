#include "src/train/batch_feed.h"

#include "kernels/backend.h"
#include "src/data/batch.h"

namespace gpuvae {

BatchFeed::BatchFeed(const Dataset& set, const TrainOptions& options)
    : set_(set),
      options_(options),
      steps_per_epoch_(static_cast<std::uint64_t>(steps_per_epoch(options, set.count()))),
      rows_(Tensor::empty({options.batch_size, set.features()}, set.dtype(), set.device())) {
  kernels::Backend& backend = set.device().backend();
  for (Buffer& buffer : buffers_)
    buffer.pinned = {backend.allocate_pinned(rows_.bytes()),
                     [&backend](void* pointer) { backend.release_pinned(pointer); }};
}

void BatchFeed::queue(std::uint64_t step, std::int64_t rows) {
  Buffer& buffer = buffers_[next_];
  next_ = 1 - next_;
  if (buffer.copied) buffer.copied->synchronize();
  set_.source->read(
      data::batch_examples(set_.count(), options_.batch_size, step, steps_per_epoch_, options_.data, rows),
      buffer.pinned.get());
  const Stream stream = Stream::current(set_.device());
  set_.device().backend().copy_pinned_to_device(rows_.data(), buffer.pinned.get(),
                                                rows_.slice(0, rows).bytes(), stream.handle());
  buffer.copied = stream.record();
}

}  // namespace gpuvae
