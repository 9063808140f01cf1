// Conversion between element types.
#include <bit>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"

namespace gpuvae::kernels {
namespace {

struct Bfloat16 {
  std::uint16_t bits;
};

template <class From>
double widened(From x) {
  return static_cast<double>(x);
}
float widened(float x) { return x; }
float widened(Bfloat16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

// Rounds to the nearest bfloat16, ties to even. NaN stays NaN and becomes quiet.
Bfloat16 rounded(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
// Rounds a double to bfloat16 by way of float. The rounding to float is to odd, so that rounding twice gives
// the same result as rounding once.
Bfloat16 rounded(double x) {
  const float near = static_cast<float>(x);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(near);
  const bool exact = static_cast<double>(near) == x || near != near || (bits & 1) == 1;
  if (exact || (bits & 0x7FFFFFFF) == 0x7F800000) return rounded(near);
  const bool too_far = std::abs(static_cast<double>(near)) > std::abs(x);
  return rounded(std::bit_cast<float>(too_far ? bits - 1 : bits + 1));
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, Bfloat16>) {
    return rounded(widened(x));
  } else {
    return static_cast<To>(widened(x));
  }
}

template <class To, class From>
void convert(const CastArgs& g) {
  const From* x = as<From>(g.x);
  To* out = as<To>(g.out);
  parallel_chunks(Chunks::of_elements(g.size), g.size >= kCheapGrain,
                  [=](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) out[i] = converted<To>(x[i]);
                  });
}

template <class To>
void convert_from(const CastArgs& g) {
  switch (g.from) {
    case DType::f32:
      return convert<To, float>(g);
    case DType::f64:
      return convert<To, double>(g);
    case DType::bf16:
      return convert<To, Bfloat16>(g);
    case DType::u8:
      return convert<To, std::uint8_t>(g);
    case DType::i32:
      return convert<To, std::int32_t>(g);
  }
}

}  // namespace

void CpuBackend::run(const CastArgs& g, StreamHandle) {
  switch (g.to) {
    case DType::f32:
      return convert_from<float>(g);
    case DType::f64:
      return convert_from<double>(g);
    case DType::bf16:
      return convert_from<Bfloat16>(g);
    default:
      fail("cast", "expected a cast to f32, f64 or bf16, got {}", name(g.to));
  }
}

}  // namespace gpuvae::kernels
