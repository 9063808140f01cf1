// Brings the rows of batches from an ExampleSource to a GPU.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "gpuvae/train.h"

namespace gpuvae {

// The rows pass through two page-locked buffers: while the GPU computes a step, the host reads the rows of
// the next one.
class BatchFeed {
 public:
  // The data set, which has a source, and the options must outlive the feed.
  BatchFeed(const Dataset& set, const TrainOptions& options);

  // Reads the rows of the batch of step number `step` of the run, and queues their copy to rows() on the
  // current stream. Waits until the buffer is free, which is after the copy of the step before the previous
  // one.
  void queue(std::uint64_t step, std::int64_t rows);
  // u8 or f32 [batch size, features] on the device, always at the same address.
  const Tensor& rows() const { return rows_; }

 private:
  struct Buffer {
    std::shared_ptr<void> pinned;
    std::optional<Event> copied;
  };

  const Dataset& set_;
  const TrainOptions& options_;
  std::uint64_t steps_per_epoch_;
  Tensor rows_;
  std::array<Buffer, 2> buffers_;
  std::size_t next_ = 0;  // the buffer of the next step
};

}  // namespace gpuvae
