// Implements f32 arithmetic that rounds down, up or towards zero.
#include <bit>
#include <cmath>
#include <cstdint>

#include "float_ops.h"

namespace ptx {
namespace {

enum class Direction { down, up, zero };

// Returns the float `steps` above x. Callers never step across zero.
inline float stepped(float x, std::int32_t steps) {
  const std::int32_t bits = std::bit_cast<std::int32_t>(x);
  return std::bit_cast<float>(bits + (bits < 0 ? -steps : steps));
}

// Returns product + c, rounded to f32. Both operands are exact in double. Knuth's two-sum gives their sum and
// its error as doubles, which show on which side of an f32 the exact sum lies; infinities and NaN make all
// comparisons false.
template <Direction kTo>
inline float rounded_sum(double product, double c) {
  const double sum = product + c;
  const double of_c = sum - product;
  const double error = (product - (sum - of_c)) + (c - of_c);
  const float nearest = static_cast<float>(sum);
  const double over = static_cast<double>(nearest) - sum;
  const bool above = over > 0 || (over == 0 && error < 0);
  const bool below = over < 0 || (over == 0 && error > 0);
  const bool up = kTo == Direction::up || (kTo == Direction::zero && sum < 0);
  const float rounded = stepped(nearest, up ? (below ? 1 : 0) : (above ? -1 : 0));
  // The sum of two zeros with different signs is -0 if rounding is downwards.
  const bool minus_zero = kTo == Direction::down && sum == 0 && (std::signbit(product) || std::signbit(c));
  return minus_zero ? -0.0f : rounded;
}

template <Direction kTo>
void add(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i, [](float a, float b) { return rounded_sum<kTo>(a, b); });
}
template <Direction kTo>
void sub(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i,
                            [](float a, float b) { return rounded_sum<kTo>(a, -static_cast<double>(b)); });
}
// A zero summand with the product's sign preserves the sign of a zero product.
template <Direction kTo>
void mul(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i, [](float a, float b) {
    const double product = static_cast<double>(a) * b;
    return rounded_sum<kTo>(product, std::copysign(0.0, product));
  });
}
template <Direction kTo>
void fma(Warp& w, const Instruction& i) {
  map3<float, float, float>(
      w, i, [](float a, float b, float c) { return rounded_sum<kTo>(static_cast<double>(a) * b, c); });
}

template <Direction kTo>
Handler by_name(std::string_view base) {
  if (base == "add") return add<kTo>;
  if (base == "sub") return sub<kTo>;
  if (base == "mul") return mul<kTo>;
  if (base == "fma") return fma<kTo>;
  return nullptr;
}

}  // namespace

Handler directed_handler(const Opcode& op) {
  if (op.type() != "f32") return nullptr;
  if (op.has("rm")) return by_name<Direction::down>(op.base);
  if (op.has("rp")) return by_name<Direction::up>(op.base);
  return by_name<Direction::zero>(op.base);
}

}  // namespace ptx
