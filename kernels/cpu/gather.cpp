// Batches from a resident data set of bytes: shuffled, scaled to [0, 1] and binarized in one pass.
#include <array>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math/philox.h"

namespace gpuvae::kernels {
namespace {

// What each byte becomes: byte / 255 correctly rounded, or whether that exceeds the threshold.
template <class T>
std::array<T, 256> values_of_bytes(const GatherArgs& g) {
  std::array<T, 256> values;
  for (std::size_t byte = 0; byte < values.size(); ++byte) {
    const T x = static_cast<T>(byte) / T(255);
    values[byte] = g.binarize == Binarize::threshold ? T(x > static_cast<T>(g.threshold)) : x;
  }
  return values;
}

template <class T>
void draw_row(const GatherArgs& g, std::uint64_t time, std::uint32_t sample, T* out) {
  const std::uint8_t* bytes = g.data + static_cast<std::int64_t>(sample) * g.columns;
  for (std::int64_t column = 0; column < g.columns; column += 4) {
    const Philox4x32 bits = random_block(g.seed, RandomPurpose::binarization, time, sample,
                                         static_cast<std::uint32_t>(column / 4));
    for (std::int64_t i = 0; i < std::min<std::int64_t>(4, g.columns - column); ++i)
      out[column + i] = uniform01(bits.v[i]) < static_cast<float>(bytes[column + i]) / 255.0f ? T(1) : T(0);
  }
}

template <class T>
void gather_of(const GatherArgs& g) {
  const std::uint64_t per_epoch = std::max<std::uint64_t>(1, g.clock.steps_per_epoch);
  const std::uint64_t epoch = epoch_of(g.clock),
                      first = step_of(g.clock) % per_epoch * static_cast<std::uint64_t>(g.batch);
  const bool drawn = g.binarize == Binarize::fixed || g.binarize == Binarize::dynamic;
  const std::uint64_t time = g.binarize == Binarize::dynamic ? epoch + 1 : 0;
  const std::array<T, 256> values = values_of_bytes<T>(g);
  const bool worth = g.rows * g.columns >= (drawn ? kCostlyGrain : kCheapGrain);
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), worth, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::uint64_t position = first + static_cast<std::uint64_t>(row);
      if (position >= static_cast<std::uint64_t>(g.count)) return;
      const auto index = static_cast<std::uint32_t>(position);
      const std::uint32_t sample =
          g.shuffle ? shuffled_index(index, static_cast<std::uint32_t>(g.count), g.seed, epoch) : index;
      if (g.samples) g.samples[row] = static_cast<std::int32_t>(sample);
      T* out = as<T>(g.out) + row * g.columns;
      if (drawn) {
        draw_row(g, time, sample, out);
        continue;
      }
      const std::uint8_t* bytes = g.data + static_cast<std::int64_t>(sample) * g.columns;
      for (std::int64_t column = 0; column < g.columns; ++column) out[column] = values[bytes[column]];
    }
  });
}

}  // namespace

void CpuBackend::gather(const GatherArgs& g, StreamHandle) {
  with_float(g.dtype, "gather", [&](auto type) { gather_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels
