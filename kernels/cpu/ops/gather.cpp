// Gathers batches from a data set in memory: shuffles, scales bytes to [0, 1], and binarizes in one pass.
#include <cstring>

#include "gpuvae/device/random.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/gather.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/cpu/simd/random_words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Returns byte / 255, correctly rounded, for the bytes that correspond to one vector of T.
template <class T>
HWY_INLINE hn::Vec<hn::ScalableTag<T>> scaled(const std::uint8_t* bytes) {
  const hn::ScalableTag<T> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d_byte;
  const hn::Rebind<std::int32_t, decltype(d)> d_int;
  const auto wide = hn::PromoteTo(d_int, hn::LoadU(d_byte, bytes));
  if constexpr (sizeof(T) == 8) {
    return hn::Div(hn::PromoteTo(d, wide), hn::Set(d, T(255)));
  } else {
    return hn::Div(hn::ConvertTo(d, wide), hn::Set(d, T(255)));
  }
}

// Writes byte / 255 or, if `compare` is true, whether it exceeds the threshold.
template <bool compare, class T>
void scale_row(const std::uint8_t* bytes, std::int64_t columns, T threshold, T* out) {
  const hn::ScalableTag<T> d;
  constexpr std::int64_t lanes = HWY_LANES(T);
  std::int64_t i = 0;
  for (; i + lanes <= columns; i += lanes) {
    const auto x = scaled<T>(bytes + i);
    const auto above = hn::IfThenElseZero(hn::Gt(x, hn::Set(d, threshold)), hn::Set(d, T(1)));
    hn::StoreU(compare ? above : x, d, out + i);
  }
  for (; i < columns; ++i) {
    const T x = static_cast<T>(bytes[i]) / T(255);
    out[i] = compare ? T(x > threshold) : x;
  }
}

// Draws from Bernoulli(byte / 255) by comparing byte / 255 with uniform01() (gpuvae/device/random.h), in
// float for every T.
template <class T>
void draw_row(const std::uint8_t* bytes, std::int64_t columns, const RandomPosition& at, std::uint32_t sample,
              T* out) {
  constexpr std::int64_t kPiece = 4 * kBlocks, lanes = HWY_LANES(float);
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::uint32_t> d_word;
  HWY_ALIGN float drawn[kPiece];
  std::uint8_t piece[kPiece] = {};
  for (std::int64_t first = 0; first < columns; first += kPiece) {
    const std::int64_t count = std::min(kPiece, columns - first);
    std::memcpy(piece, bytes + first, static_cast<std::size_t>(count));
    Words words[4];
    random_words(at, hn::Set(d_word, sample), hn::Iota(d_word, static_cast<std::uint32_t>(first / 4)), words);
    store_blocks({uniform_of(words[0]), uniform_of(words[1]), uniform_of(words[2]), uniform_of(words[3])},
                 drawn);
    for (std::int64_t i = 0; i < kPiece; i += lanes) {
      const auto below = hn::Lt(hn::Load(d, drawn + i), scaled<float>(piece + i));
      hn::Store(hn::IfThenElseZero(below, hn::Set(d, 1.0f)), d, drawn + i);
    }
    for (std::int64_t i = 0; i < count; ++i) out[first + i] = static_cast<T>(drawn[i]);
  }
}

// Writes the values of a float sample, or whether they exceed the threshold. A missing value stays NaN.
template <class T>
void gather_row(const GatherArgs& g, const float* values, std::uint64_t, std::uint32_t, T* out) {
  const T threshold = static_cast<T>(g.threshold);
  const bool compare = g.binarize == Binarize::threshold;
  for (std::int64_t i = 0; i < g.columns; ++i) {
    const T x = static_cast<T>(values[i]);
    out[i] = compare && x == x ? T(x > threshold) : x;
  }
}

template <class T>
void gather_row(const GatherArgs& g, const std::uint8_t* bytes, std::uint64_t epoch, std::uint32_t sample,
                T* out) {
  const std::uint64_t time = g.binarize == Binarize::dynamic ? epoch + 1 : 0;
  switch (g.binarize) {
    case Binarize::none:
      return scale_row<false>(bytes, g.columns, T(0), out);
    case Binarize::threshold:
      return scale_row<true>(bytes, g.columns, static_cast<T>(g.threshold), out);
    case Binarize::fixed:
    case Binarize::dynamic:
      return draw_row(bytes, g.columns, {g.seed, RandomPurpose::binarization, time}, sample, out);
  }
}

// Rows of a shuffled data set are far apart, so each row is prefetched while the previous one is processed.
template <class Source>
HWY_INLINE void prefetch(const Source* row, std::int64_t columns) {
  constexpr std::int64_t kCacheLine = 64 / sizeof(Source);
  for (std::int64_t i = 0; i < columns; i += kCacheLine) hwy::Prefetch(row + i);
}

template <class Source, class T>
void gather_of(const GatherArgs& g) {
  const std::uint64_t step_in_epoch = step_of(g.clock) % std::max<std::uint64_t>(1, g.clock.steps_per_epoch);
  const std::uint64_t epoch = epoch_of(g.clock);
  const auto first = static_cast<std::int64_t>(step_in_epoch) * g.batch;
  const auto sample_at = [&](std::int64_t row) {
    const auto position = static_cast<std::uint32_t>(first + row);
    return g.shuffle ? shuffled_index(position, static_cast<std::uint32_t>(g.count), g.seed, epoch)
                     : position;
  };
  const auto source_row = [&](std::int64_t row, std::uint32_t sample) {
    return as<Source>(g.data) + (g.staged ? row : static_cast<std::int64_t>(sample)) * g.columns;
  };
  const auto gather_rows = [&](std::int64_t begin, std::int64_t end) {
    std::uint32_t next = sample_at(begin);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::uint32_t sample = next;
      if (row + 1 < end) {
        next = sample_at(row + 1);
        prefetch(source_row(row + 1, next), g.columns);
      }
      if (g.samples) g.samples[row] = static_cast<std::int32_t>(sample);
      gather_row(g, source_row(row, sample), epoch, sample, as<T>(g.out) + row * g.columns);
    }
  };
  const std::int64_t rows = std::min(g.rows, g.count - first);
  if (rows <= 0) return;
  parallel_chunks(Chunks::of_rows(rows, g.columns), rows * g.columns >= kCheapGrain, gather_rows);
}

void Gather(const GatherArgs& g) {
  with_float(g.dtype, "gather", [&](auto type) {
    g.source == DType::u8 ? gather_of<std::uint8_t, decltype(type)>(g) : gather_of<float, decltype(type)>(g);
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Gather);
void CpuBackend::run(const GatherArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Gather)(g); }
}  // namespace gpuvae::kernels
#endif
