// Implements mma.sync: m16n8k8 with TF32 factors and m16n8k16 with bfloat16 factors, both with f32 sums.
//
// Accumulate::exact adds all products to the accumulator in double precision and rounds once.
//
// Accumulate::truncating models the additions of NVIDIA's tensor cores: M. Fasi, N. J. Higham, M. Mikaitis,
// S. Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7:e330 (2021), and for
// newer devices F. A. Khattak, M. Mikaitis, "Accurate models of NVIDIA tensor cores", arXiv:2512.07004
// (2025).
//
// Products are exact. Tensor cores add the products along k in groups. The accumulator and the products of
// one group are aligned to the largest of their exponents, truncated after 23 fraction bits plus some extra
// bits, and added without intermediate normalisation. The sum is truncated to f32. There are 0 extra bits on
// V100 and T4, 1 on A100 and 2 on H100. On A100, a group has 4 products of TF32 or 8 of bfloat16.
//
// This file models A100, the least precise of these devices that has the instructions: 1 extra bit, groups of
// 4 or 8. It aligns to the exponent of the product. Hardware aligns to the sum of the factors' exponents,
// which is equal or one less; in the latter case it keeps one more bit than this file.
#include <algorithm>
#include <bit>
#include <cmath>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t, std::uint64_t;

constexpr int kM = 16, kN = 8;
constexpr int kExtraBits = 1;

// The operands as matrices. Products of their elements are exact in double.
template <int K>
struct Factors {
  float a[kM][K];
  float b[K][kN];
};

// Rounds x to f32 towards zero.
inline float truncated(double x) {
  const float nearest = static_cast<float>(x);
  const bool beyond = std::fabs(static_cast<double>(nearest)) > std::fabs(x);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(nearest) - (beyond ? 1u : 0u));
}

// Adds terms[1 ...] to terms[0], column by column.
template <int kTerms>
void add_truncating(double (&terms)[kTerms][kN]) {
  double plain[kN], largest[kN], sum[kN];
  for (int n = 0; n < kN; ++n) {
    plain[n] = terms[0][n];
    largest[n] = 0x1p-300;  // smaller than every product except 0
    sum[n] = 0;
  }
  for (int t = 1; t < kTerms; ++t)
    for (int n = 0; n < kN; ++n) plain[n] += terms[t][n];
  for (int t = 0; t < kTerms; ++t)
    for (int n = 0; n < kN; ++n) largest[n] = std::max(largest[n], std::fabs(terms[t][n]));
  for (int n = 0; n < kN; ++n) {
    // `unit` is the value of the last bit that is kept. Divided by it and truncated, every term is an integer
    // of magnitude below 2^25.
    constexpr uint64_t kBias = 1023, kBits = 23 + kExtraBits;
    const uint64_t exponent = std::bit_cast<uint64_t>(largest[n]) >> 52;
    const double unit = std::bit_cast<double>((exponent - kBits) << 52);
    const double units = std::bit_cast<double>((2 * kBias - exponent + kBits) << 52);
    for (int t = 0; t < kTerms; ++t) sum[n] += std::trunc(terms[t][n] * units);
    const bool finite = std::fabs(plain[n]) <= 0x1p1000;
    terms[0][n] = finite ? truncated(sum[n] * unit) : plain[n];
  }
}

template <int K, int kGroup>
void row_truncating(const Factors<K>& factors, int m, double (&row)[kN]) {
  double terms[kGroup + 1][kN];
  std::copy(row, row + kN, terms[0]);
  for (int k = 0; k < K; k += kGroup) {
    for (int t = 0; t < kGroup; ++t)
      for (int n = 0; n < kN; ++n) terms[t + 1][n] = double(factors.a[m][k + t]) * factors.b[k + t][n];
    add_truncating(terms);
  }
  std::copy(terms[0], terms[0] + kN, row);
}

template <int K>
void row_exact(const Factors<K>& factors, int m, double (&row)[kN]) {
  double sum[kN];
  std::copy(row, row + kN, sum);
  for (int k = 0; k < K; ++k) {
    const double x = factors.a[m][k];
    for (int n = 0; n < kN; ++n) sum[n] += x * factors.b[k][n];
  }
  std::copy(sum, sum + kN, row);
}

// Register r of lane l holds the element of C or D in row l / 4 + 8 (r / 2) and column 2 (l % 4) + r % 2.
template <int K, int kGroup>
void multiply(Warp& w, const Instruction& i, const Factors<K>& factors) {
  const bool truncating = w.block->grid->options.accumulate == Accumulate::truncating;
  const float* c[4];
  float* d[4];
  for (int r = 0; r < 4; ++r) {
    d[r] = w.at<float>(i.operand[r]);
    c[r] = w.at<float>(i.operand[10 + r]);
  }
  float sums[kM][kN];
  for (int m = 0; m < kM; ++m) {
    const int lane = m % 8 * 4;
    const int high = m / 8 * 2;
    double row[kN];
    for (int n = 0; n < kN; ++n) row[n] = c[high + n % 2][lane + n / 2];
    if (truncating)
      row_truncating<K, kGroup>(factors, m, row);
    else
      row_exact(factors, m, row);
    for (int n = 0; n < kN; ++n) sums[m][n] = static_cast<float>(row[n]);
  }
  for (int m = 0; m < kM; ++m)  // d and c may be the same registers
    for (int n = 0; n < kN; ++n) d[m / 8 * 2 + n % 2][m % 8 * 4 + n / 2] = sums[m][n];
}

bool has_whole_warp(Warp& w, const Instruction& i) {
  if (w.full) return true;
  w.wait_for_lanes(i, ~0u);
  return false;
}

// TF32 has 13 fraction bits fewer than f32. Hardware ignores these low bits.
inline float from_tf32(uint32_t x) { return std::bit_cast<float>(x & ~0x1fffu); }
inline float low_bf16(uint32_t x) { return std::bit_cast<float>(x << 16); }
inline float high_bf16(uint32_t x) { return std::bit_cast<float>(x & 0xffff0000u); }

// Register r of lane l holds the element of A in row l / 4 + 8 (r % 2) and column l % 4 + 4 (r / 2), and that
// of B in row l % 4 + 4 r and column l / 4.
void mma_tf32(Warp& w, const Instruction& i) {
  if (!has_whole_warp(w, i)) return;
  Factors<8> f;
  for (int r = 0; r < 4; ++r) {
    const uint32_t* a = w.at<uint32_t>(i.operand[4 + r]);
    for (int l = 0; l < 32; ++l) f.a[l / 4 + r % 2 * 8][l % 4 + r / 2 * 4] = from_tf32(a[l]);
  }
  for (int r = 0; r < 2; ++r) {
    const uint32_t* b = w.at<uint32_t>(i.operand[8 + r]);
    for (int l = 0; l < 32; ++l) f.b[l % 4 + r * 4][l / 4] = from_tf32(b[l]);
  }
  multiply<8, 4>(w, i, f);
}

// Each register holds two elements, the first in its low half. Register r of lane l holds those of A in row
// l / 4 + 8 (r % 2) and columns c and c + 1 with c = 2 (l % 4) + 8 (r / 2), and those of B in rows k and k +
// 1 with k = 2 (l % 4) + 8 r and column l / 4.
void mma_bf16(Warp& w, const Instruction& i) {
  if (!has_whole_warp(w, i)) return;
  Factors<16> f;
  for (int r = 0; r < 4; ++r) {
    const uint32_t* a = w.at<uint32_t>(i.operand[4 + r]);
    for (int l = 0; l < 32; ++l) {
      float* pair = f.a[l / 4 + r % 2 * 8] + l % 4 * 2 + r / 2 * 8;
      pair[0] = low_bf16(a[l]);
      pair[1] = high_bf16(a[l]);
    }
  }
  for (int r = 0; r < 2; ++r) {
    const uint32_t* b = w.at<uint32_t>(i.operand[8 + r]);
    for (int l = 0; l < 32; ++l) {
      f.b[l % 4 * 2 + r * 8][l / 4] = low_bf16(b[l]);
      f.b[l % 4 * 2 + r * 8 + 1][l / 4] = high_bf16(b[l]);
    }
  }
  multiply<16, 8>(w, i, f);
}

}  // namespace

Handler matrix_handler(const Opcode& op) {
  if (op.has("tf32")) return mma_tf32;
  if (op.has("bf16")) return mma_bf16;
  return nullptr;
}

}  // namespace ptx
