// Uniform and normal numbers that depend on their position alone.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math/philox.h"

namespace gpuvae::kernels {
namespace {

// Numbers 4 * block ... of one row.
template <class T>
void draw_block(const RandomArgs& g, std::uint64_t time, std::uint32_t sample, std::int64_t block, T* row) {
  const Philox4x32 bits =
      random_block(g.noise.seed, g.noise.purpose, time, sample, static_cast<std::uint32_t>(block));
  float numbers[4];
  if (g.normal) {
    normal4(bits, numbers);
  } else {
    for (int i = 0; i < 4; ++i) numbers[i] = uniform01(bits.v[i]);
  }
  const T low = static_cast<T>(g.a), scale = static_cast<T>(g.normal ? g.b : g.b - g.a);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(4, g.columns - 4 * block); ++i)
    row[4 * block + i] = low + scale * static_cast<T>(numbers[i]);
}

template <class T>
void random_of(const RandomArgs& g) {
  const std::int64_t blocks = (g.columns + 3) / 4;
  const std::uint64_t time = time_of(g.noise);
  parallel_chunks(Chunks::of_elements(g.rows * blocks), g.rows * g.columns >= kCostlyGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t row = i / blocks;
                      draw_block(g, time, sample_of(g.noise, row), i % blocks,
                                 as<T>(g.out) + row * g.columns);
                    }
                  });
}

}  // namespace

void CpuBackend::random(const RandomArgs& g, StreamHandle) {
  with_float(g.dtype, "random", [&](auto type) { random_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels
