// mma.sync of a warp: m16n8k8 of TF32 and m16n8k16 of bfloat16, sums in f32.
//
// `exact`: products and sums in double, rounded once to f32. `truncating`: what Fasi, Higham, Mikaitis and
// Pranesh (2021) measured on V100 and A100: products are exact, the products of one step and the accumulator
// are aligned to the largest exponent among them, cut off there (24 bits of the largest, 1 more kept), added,
// and the sum is truncated to f32. A step has 4 elements of k for TF32 and 8 for bfloat16, as on A100.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {

constexpr int kM = 16, kN = 8;

inline float cut_to_float(double x) {  // towards zero
  const float r = static_cast<float>(x);
  return std::fabs(static_cast<double>(r)) > std::fabs(x) ? std::nextafter(r, 0.0f) : r;
}

float truncating_sum(const double* terms, int count) {
  double largest = 0;
  for (int i = 0; i < count; ++i) {
    if (!std::isfinite(terms[i])) {
      double sum = 0;
      for (int k = 0; k < count; ++k) sum += terms[k];
      return static_cast<float>(sum);
    }
    largest = std::max(largest, std::fabs(terms[i]));
  }
  if (largest == 0) return static_cast<float>(terms[0]);
  const double unit = std::ldexp(1.0, std::ilogb(largest) - 24);  // 24 bits, and one more
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::trunc(terms[i] / unit) * unit;
  return cut_to_float(sum);
}

// a[16][K], b[K][8], as rows of doubles; c and d in the layout of registers.
template <int K, int kStep>
void multiply(Warp& w, const Instruction& i, const float (&a)[kM][K], const float (&b)[K][kN],
              bool truncate) {
  float* d[4];
  const float* c[4];
  for (int r = 0; r < 4; ++r) d[r] = w.at<float>(i.operand[r]), c[r] = w.at<float>(i.operand[10 + r]);
  float sums[kM][kN];
  for (int m = 0; m < kM; ++m) {
    const int lane = m % 8 * 4, high = m / 8 * 2;
    double row[kN];
    for (int n = 0; n < kN; ++n) row[n] = c[high + n % 2][lane + n / 2];
    if (!truncate) {
      for (int k = 0; k < K; ++k) {
        const double x = a[m][k];
        for (int n = 0; n < kN; ++n) row[n] += x * b[k][n];
      }
      for (int n = 0; n < kN; ++n) sums[m][n] = static_cast<float>(row[n]);
    } else {
      for (int n = 0; n < kN; ++n) {
        double terms[kStep + 1] = {row[n]};
        for (int k = 0; k < K; k += kStep) {
          for (int s = 0; s < kStep; ++s) terms[s + 1] = static_cast<double>(a[m][k + s]) * b[k + s][n];
          terms[0] = truncating_sum(terms, kStep + 1);
        }
        sums[m][n] = static_cast<float>(terms[0]);
      }
    }
  }
  for (int m = 0; m < kM; ++m)
    for (int n = 0; n < kN; ++n) d[m / 8 * 2 + n % 2][m % 8 * 4 + n / 2] = sums[m][n];
}

bool whole_warp(Warp& w, const Instruction& i) {
  if (w.full) return true;
  w.wait_for_lanes(i, ~0u);
  return false;
}

void mma_tf32(Warp& w, const Instruction& i) {
  if (!whole_warp(w, i)) return;
  const std::uint32_t* r[6];
  for (int k = 0; k < 6; ++k) r[k] = w.at<std::uint32_t>(i.operand[4 + k]);
  const auto tf32 = [](std::uint32_t x) {
    return std::bit_cast<float>(x & ~0x1fffu);
  };  // hardware ignores the rest
  float a[kM][8], b[8][kN];
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    a[g][t] = tf32(r[0][lane]), a[g + 8][t] = tf32(r[1][lane]);
    a[g][t + 4] = tf32(r[2][lane]), a[g + 8][t + 4] = tf32(r[3][lane]);
    b[t][g] = tf32(r[4][lane]), b[t + 4][g] = tf32(r[5][lane]);
  }
  multiply<8, 4>(w, i, a, b, w.block->grid->options.accumulate == Accumulate::truncating);
}

void mma_bf16(Warp& w, const Instruction& i) {
  if (!whole_warp(w, i)) return;
  const std::uint32_t* r[6];
  for (int k = 0; k < 6; ++k) r[k] = w.at<std::uint32_t>(i.operand[4 + k]);
  const auto low = [](std::uint32_t x) { return std::bit_cast<float>(x << 16); };
  const auto high = [](std::uint32_t x) { return std::bit_cast<float>(x & 0xffff0000u); };
  float a[kM][16], b[16][kN];
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4 * 2;
    for (int k = 0; k < 2; ++k) {
      const std::uint32_t upper = r[2 * k][lane], lower = r[2 * k + 1][lane], factor = r[4 + k][lane];
      a[g][t + 8 * k] = low(upper), a[g][t + 8 * k + 1] = high(upper);
      a[g + 8][t + 8 * k] = low(lower), a[g + 8][t + 8 * k + 1] = high(lower);
      b[t + 8 * k][g] = low(factor), b[t + 8 * k + 1][g] = high(factor);
    }
  }
  multiply<16, 8>(w, i, a, b, w.block->grid->options.accumulate == Accumulate::truncating);
}

}  // namespace

Handler matrix_handler(const Opcode& op) {
  if (!op.has("sync") || !op.has("aligned") || !op.has("row") || !op.has("col")) return nullptr;
  if (op.has("m16n8k8") && op.has("tf32")) return mma_tf32;
  if (op.has("m16n8k16") && op.has("bf16")) return mma_bf16;
  return nullptr;
}

}  // namespace ptx
