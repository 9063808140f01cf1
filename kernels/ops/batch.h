// Arguments of the kernel that gathers a batch from a data set.
#pragma once

#include <cstdint>

#include "kernels/noise.h"
#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Row r of the batch is sample s = order((step in epoch) * batch + r) of the data set, where order is a
// permutation if `shuffle` is true and the identity otherwise. Bytes are scaled to [0, 1] and binarized.
// Floats are copied, or binarized by Binarize::threshold; Binarize::fixed and dynamic require bytes. Rows
// beyond the end of the data set are not written.
struct GatherArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  std::int64_t batch = 0;      // size of a full batch
  std::int64_t count = 0;      // samples in the data set
  DType source = DType::u8;    // or f32
  const void* data = nullptr;  // [count, columns] of source; if `staged`, [rows, columns]
  bool shuffle = true;
  Binarize binarize = Binarize::none;
  // Whether `data` holds the rows of this batch in their order, instead of the whole data set.
  bool staged = false;
  double threshold = 0.5;
  std::uint64_t seed = 0;
  Clock clock = {};
  void* out = nullptr;
  std::int32_t* samples = nullptr;  // [rows], the sample s of each row; or null

  double bytes() const {
    return times(rows, columns) * static_cast<double>(size_of(source) + size_of(dtype));
  }
};

}  // namespace gpuvae::kernels
