// Uniform and normal random numbers, which depend only on their position.
#include <cstring>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/random_blocks.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/random.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/random_words-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

using Floats = hn::Vec<hn::ScalableTag<float>>;

// Sine and cosine on [-pi / 4, pi / 4], as in sinf and cosf of the Cephes library.
HWY_INLINE void sine_and_cosine(Floats x, Floats& sine, Floats& cosine) {
  const hn::ScalableTag<float> d;
  const Floats z = hn::Mul(x, x);
  Floats s = hn::MulAdd(z, hn::Set(d, -1.9515295891e-4f), hn::Set(d, 8.3321608736e-3f));
  s = hn::MulAdd(z, s, hn::Set(d, -1.6666654611e-1f));
  sine = hn::MulAdd(hn::Mul(s, z), x, x);
  Floats c = hn::MulAdd(z, hn::Set(d, 2.443315711809948e-5f), hn::Set(d, -1.388731625493765e-3f));
  c = hn::MulAdd(z, c, hn::Set(d, 4.166664568298827e-2f));
  cosine = hn::MulAdd(hn::Mul(c, z), z, hn::NegMulAdd(z, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
}

// Computes box_muller(), with the same rounding of the angle. Products and sums are either fused explicitly
// or kept separate, so that the numbers do not depend on the compiler's choice at each inlined call.
HWY_INLINE void box_muller(Words a, Words b, Floats& first, Floats& second) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::uint32_t> d_word;
  const hn::RebindToSigned<decltype(d)> d_int;
  const Floats radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0f), hn::Log(d, uniform_of(a))));
  const Floats angle = hn::Mul(hn::Set(d, 6.28318530717958647692f), uniform_of(b));

  // `turn` is the nearest number of quarter turns, 0 to 4, from the upper bits of `b`. The remaining angle is
  // computed with pi / 2 in three parts (Cephes); the first two parts times four are exact.
  const Words turn = hn::ShiftRight<29>(hn::Add(hn::ShiftRight<1>(b), hn::Set(d_word, 1u << 28)));
  const Floats turns = hn::ConvertTo(d, hn::BitCast(d_int, turn));
  Floats rest = hn::NegMulAdd(turns, hn::Set(d, 1.5703125f), angle);
  rest = hn::NegMulAdd(turns, hn::Set(d, 4.837512969970703125e-4f), rest);
  rest = hn::NegMulAdd(turns, hn::Set(d, 7.54978995489188216e-8f), rest);

  Floats sine, cosine;
  sine_and_cosine(rest, sine, cosine);
  const Words one = hn::Set(d_word, 1), two = hn::Set(d_word, 2);
  const auto odd = hn::RebindMask(d, hn::Eq(hn::And(turn, one), one));
  const auto sign = [=](Words n) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<30>(hn::And(n, two))); };
  first = hn::Mul(radius, hn::Xor(hn::IfThenElse(odd, sine, cosine), sign(hn::Add(turn, one))));
  second = hn::Mul(radius, hn::Xor(hn::IfThenElse(odd, cosine, sine), sign(turn)));
}

// Enumerates the blocks of a matrix row by row, and returns the sample and the block of each.
class Lanes {
 public:
  explicit Lanes(const RandomBlocks& b)
      : noise_(b.noise),
        blocks_of_row_((b.columns + 3) / 4),
        row_(b.begin / blocks_of_row_),
        block_(b.begin % blocks_of_row_) {}

  void next(std::int64_t count, std::uint32_t* samples, std::uint32_t* blocks) {
    for (std::int64_t i = 0; i < count; ++i) {
      samples[i] = sample_of(noise_, row_);
      blocks[i] = static_cast<std::uint32_t>(block_);
      if (++block_ == blocks_of_row_) {
        block_ = 0;
        ++row_;
      }
    }
  }

 private:
  const Noise& noise_;
  std::int64_t blocks_of_row_, row_, block_;
};

void DrawBlocks(const RandomBlocks& b, bool normal, float* numbers) {
  const hn::ScalableTag<std::uint32_t> d;
  const RandomPosition at{b.noise.seed, b.noise.purpose, time_of(b.noise)};
  const bool second_pair = b.columns > 2;  // whether the second pair of a block is used
  Lanes lanes(b);
  HWY_ALIGN std::uint32_t samples[kBlocks] = {}, blocks[kBlocks] = {};
  for (std::int64_t i = 0; i < b.count; i += kBlocks) {
    const std::int64_t count = std::min(kBlocks, b.count - i);
    lanes.next(count, samples, blocks);
    Words words[4];
    random_words(at, hn::Load(d, samples), hn::Load(d, blocks), words);
    Floats drawn[4];
    if (normal) {
      box_muller(words[0], words[1], drawn[0], drawn[1]);
      drawn[2] = drawn[0];
      drawn[3] = drawn[1];
      if (second_pair) box_muller(words[2], words[3], drawn[2], drawn[3]);
    } else {
      for (int w = 0; w < 4; ++w) drawn[w] = uniform_of(words[w]);
    }
    HWY_ALIGN float last[4 * kBlocks];
    store_blocks(drawn, count == kBlocks ? numbers + 4 * i : last);
    if (count < kBlocks)
      std::memcpy(numbers + 4 * i, last, static_cast<std::size_t>(4 * count) * sizeof(float));
  }
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(DrawBlocks);
void draw_blocks(const RandomBlocks& blocks, bool normal, float* numbers) {
  HWY_DYNAMIC_DISPATCH(DrawBlocks)(blocks, normal, numbers);
}

namespace {

template <class T>
void random_of(const RandomArgs& g) {
  const std::int64_t blocks = (g.columns + 3) / 4;
  const T low = static_cast<T>(g.a), scale = static_cast<T>(g.normal ? g.b : g.b - g.a);
  const auto draw_chunk = [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kPiece = 256;
    alignas(64) float numbers[4 * kPiece];
    for (std::int64_t first = begin; first < end; first += kPiece) {
      const std::int64_t count = std::min(kPiece, end - first);
      draw_blocks({g.noise, g.columns, first, count}, g.normal, numbers);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = (first + i) / blocks, column = (first + i) % blocks * 4;
        T* out = as<T>(g.out) + row * g.columns + column;
        for (std::int64_t k = 0; k < std::min<std::int64_t>(4, g.columns - column); ++k)
          out[k] = low + scale * static_cast<T>(numbers[4 * i + k]);
      }
    }
  };
  parallel_chunks(Chunks::of_elements(g.rows * blocks), g.rows * g.columns >= kCostlyGrain, draw_chunk);
}

}  // namespace

void CpuBackend::run(const RandomArgs& g, StreamHandle) {
  with_float(g.dtype, "random", [&](auto type) { random_of<decltype(type)>(g); });
}
}  // namespace gpuvae::kernels
#endif
