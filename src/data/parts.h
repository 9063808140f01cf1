// Passes over all examples of a data set in bounded memory.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "gpuvae/data.h"

namespace gpuvae::data {

// Calls use(examples, first) for consecutive parts of a data set: a tensor on the CPU that begins with
// example number `first`. Examples in memory are one part. Those of a source have parts of about 8 MiB, whose
// sizes in bytes, but for the last one, are multiples of 8.
template <class Use>
void for_parts(const Dataset& set, const Use& use) {
  if (!set.source) return use(set.examples.to(Device::cpu()), std::int64_t{0});
  constexpr std::int64_t kBytes = 8 << 20, kMultiple = 8;
  const std::int64_t row_bytes = set.features() * static_cast<std::int64_t>(size_of(set.dtype()));
  const std::int64_t step = std::max<std::int64_t>(1, kBytes / kMultiple / row_bytes) * kMultiple;
  std::vector<std::int64_t> numbers;
  for (std::int64_t first = 0; first < set.count(); first += step) {
    numbers.resize(static_cast<std::size_t>(std::min(step, set.count() - first)));
    std::iota(numbers.begin(), numbers.end(), first);
    const Tensor part = Tensor::empty({std::ssize(numbers), set.features()}, set.dtype());
    set.source->read(numbers, part.data());
    use(part, first);
  }
}

}  // namespace gpuvae::data
