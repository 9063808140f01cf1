// Batches whose rows were read from an ExampleSource.
#pragma once

#include <vector>

#include "gpuvae/data.h"

namespace gpuvae::data {

// The examples of a batch in their order: of batch number (step modulo steps_per_epoch) of the epoch, for a
// data set of `count` examples.
std::vector<std::int64_t> batch_examples(std::int64_t count, std::int64_t batch_size, std::uint64_t step,
                                         std::uint64_t steps_per_epoch, const BatchOptions& options,
                                         std::int64_t rows);

// As gather_batch, for a data set of `count` examples of which `staged` has only the rows of this batch, in
// its order: u8 or f32 [at least rows, features].
Batch gather_staged(const Tensor& staged, std::int64_t count, std::int64_t batch_size, const Clock& clock,
                    const BatchOptions& options, DType dtype, std::int64_t rows);

}  // namespace gpuvae::data
