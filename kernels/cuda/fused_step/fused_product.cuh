// A block's tile of a matrix product, c[m, n] = sum over k of a[m, k] * b[n, k], for the fused training step.
// The operands pass through shared memory in chunks of k. While a chunk is multiplied, the next chunks are
// loaded into registers. Each warp computes one 16 x 16 piece of the tile. If there are more warps than
// pieces, several warps share a piece: each takes some of the steps of k, and their partial sums are added in
// a fixed order.
//
// The error of split TF32. Let u = 2^-24 and S = the sum of |a[m, k] * b[n, k]| over k. Without underflow,
//
//   |c - exact| <= (kSplitError + kStepError + additions) u S,
//   additions = ceil(depth / (8 kShares)) + kShares.
//
// kSplitError: a = a_high + a_low + a_rest with |a_low| <= 2^-11 |a| and |a_rest| <= 2^-22 |a|. The products
// a_low b_low, a_rest b and a b_rest are left out. Together they are at most 3 * 2^-22 |a b| = 12 u |a b|.
// kStepError: tensor cores may truncate. The three products of a step of 8 values of k start from zero. The
// product of the high parts dominates the error, because the products with a low part are 2^-11 times as
// large. In the worst case, the unit adds 4 terms and its running sum at a time, truncates each of these 5
// numbers to the 24-bit precision of the largest one (2 u each), and truncates the result (2 u). This makes
// 12 u for 4 values of k, 24 u for a step, and less than 1 u for all smaller terms.
// additions: an ordinary addition, which rounds to nearest (u), adds each step's sum to the total.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/fused_step/tensor_core.cuh"

namespace gpuvae::kernels {

enum class Multiply { ffma, tf32, split_tf32, bf16 };

// Constants of the bound above.
inline constexpr double kSplitError = 12, kStepError = 25;

namespace {

constexpr int kWarps = kThreads / 32;

// The accumulators of a 16 x 16 piece: two mma results of 16 x 8, side by side.
struct Piece {
  float v[2][4];
};

// Shared memory for kRows rows of an operand and kDepth values of k. If kDown is true, k runs down the rows
// of the panel, otherwise along a row. The strides make the lanes that load a fragment access different
// banks.
template <int kRows, int kDepth, bool kDown>
struct Panel {
  static constexpr int kOuter = kDown ? kDepth : kRows, kInner = kDown ? kRows : kDepth;
  static constexpr int kStride = kDown ? kRows + 8 : kDepth + 4;
  static constexpr int kFloats = kOuter * kStride;
  static constexpr int kGroups = kOuter * kInner / 4 / kThreads;  // groups of four floats per thread
  static_assert(kGroups * 4 * kThreads == kOuter * kInner);

  static __device__ __forceinline__ float at(const float* panel, int row, int k) {
    return kDown ? panel[k * kStride + row] : panel[row * kStride + k];
  }
  // Returns the position of one of this thread's groups of four floats. If a row has 16 floats, 8 lanes store
  // to two rows that are two apart, because neighbouring rows share some banks.
  struct Group {
    int outer, inner;
  };
  static __device__ __forceinline__ Group group(int number) {
    const int group = static_cast<int>(threadIdx.x) + number * kThreads;
    int outer = group / (kInner / 4);
    if (kInner == 16) outer = (outer & ~3) | (outer & 1) << 1 | (outer >> 1 & 1);
    return {outer, group % (kInner / 4) * 4};
  }
  // Calls f(number, outer, inner) for each of this thread's groups.
  template <class F>
  static __device__ __forceinline__ void for_groups(const F& f) {
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const Group at = group(i);
      f(i, at.outer, at.inner);
    }
  }
};

// A tile of kM x kN in chunks of kK, of which kAhead are prefetched in registers.
template <int kM_, int kN_, int kK_, int kAhead_, bool kADown, bool kBDown>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kAhead = kAhead_;
  static constexpr int kPiecesM = kM / 16, kPieces = kPiecesM * (kN / 16), kShares = kWarps / kPieces;
  static_assert(kShares * kPieces == kWarps);
  using A = Panel<kM, kK, kADown>;
  using B = Panel<kN, kK, kBDown>;
  static constexpr int kSumStride = kN + 8;  // of the finished tile; avoids bank conflicts in store_piece()
  static constexpr int kFloats = A::kFloats + B::kFloats, kSumFloats = kShares * kM * kSumStride;
  static_assert(kSumFloats <= kFloats);
  // Elements of the finished tile per thread.
  static constexpr int kElements = kM * kN / kThreads;
  static_assert(kElements * kThreads == kM * kN && kThreads % kN == 0);
};

// Splits x into the TF32 number `high` and, if kSplit, the TF32 number `low` that approximates the rest.
template <bool kSplit>
__device__ __forceinline__ void split_tf32(float x, std::uint32_t& high, std::uint32_t& low) {
  high = to_tf32(x);
  low = kSplit ? to_tf32(x - __uint_as_float(high & ~0x1fffu)) : 0;
}

// Adds the products of the values k, ..., k + 7 in plain f32, for the piece that begins at `row` and
// `column`. The loads for two values come before their use, because nvcc 13.0 otherwise paired the loads of
// this loop in some builds and not in others.
template <class T>
__device__ __forceinline__ void step_ffma(Piece& piece, const float* a, const float* b, int row, int column,
                                          int k) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll 1
  for (int i = k; i < k + 8; i += 2) {
    float upper[2], lower[2], factor[4][2];
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      upper[s] = T::A::at(a, row + g, i + s);
      lower[s] = T::A::at(a, row + g + 8, i + s);
    }
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int s = 0; s < 2; ++s) factor[j][s] = T::B::at(b, column + 8 * (j / 2) + 2 * t + j % 2, i + s);
#pragma unroll
    for (int s = 0; s < 2; ++s)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        piece.v[j / 2][j % 2] = fmaf(upper[s], factor[j][s], piece.v[j / 2][j % 2]);
        piece.v[j / 2][2 + j % 2] = fmaf(lower[s], factor[j][s], piece.v[j / 2][2 + j % 2]);
      }
  }
}

// Adds a step's sum to the total. A step is accumulated from zero, so that the error of the tensor cores'
// accumulation is relative to the step and not to the total.
__device__ __forceinline__ void add_step(float (&total)[4], const float (&step)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) total[i] += step[i];
}

// Adds the products of the values k, ..., k + 7 on tensor cores. A factor that is not split is rounded to one
// TF32 number.
template <class T, bool kSplitA, bool kSplitB>
__device__ __forceinline__ void step_tf32(Piece& piece, const float* a, const float* b, int row, int column,
                                          int k) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  std::uint32_t a_high[4], a_low[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    split_tf32<kSplitA>(T::A::at(a, row + g + i % 2 * 8, k + t + i / 2 * 4), a_high[i], a_low[i]);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    std::uint32_t b_high[2], b_low[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      split_tf32<kSplitB>(T::B::at(b, column + 8 * half + g, k + t + 4 * i), b_high[i], b_low[i]);
    float step[4] = {};
    if (kSplitA) mma_tf32(step, a_low, b_high);  // small terms first
    if (kSplitB) mma_tf32(step, a_high, b_low);
    mma_tf32(step, a_high, b_high);
    add_step(piece.v[half], step);
  }
}

// Adds the products of the values k, ..., k + 15 in bfloat16 on tensor cores.
template <class T>
__device__ __forceinline__ void step_bf16(Piece& piece, const float* a, const float* b, int row, int column,
                                          int k) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  std::uint32_t as[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = row + g + i % 2 * 8, at = k + 2 * t + i / 2 * 8;
    as[i] = to_bf16_pair(T::A::at(a, r, at), T::A::at(a, r, at + 1));
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    std::uint32_t bs[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int c = column + 8 * half + g, at = k + 2 * t + 8 * i;
      bs[i] = to_bf16_pair(T::B::at(b, c, at), T::B::at(b, c, at + 1));
    }
    float step[4] = {};
    mma_bf16(step, as, bs);
    add_step(piece.v[half], step);
  }
}

// Multiplies a warp's share of a chunk: every kShares-th step of its piece.
template <Multiply kHow, class T, bool kSplitA, bool kSplitB>
__device__ __forceinline__ void multiply_steps(Piece& piece, const float* memory, int depth) {
  constexpr int kStep = kHow == Multiply::bf16 ? 16 : 8;
  const int warp = threadIdx.x / 32, share = warp / T::kPieces, place = warp % T::kPieces;
  const int row = place % T::kPiecesM * 16, column = place / T::kPiecesM * 16;
  const float* b = memory + T::A::kFloats;
#pragma unroll 1
  for (int k = share * kStep; k < depth; k += T::kShares * kStep)
    if constexpr (kHow == Multiply::ffma)
      step_ffma<T>(piece, memory, b, row, column, k);
    else if constexpr (kHow == Multiply::bf16)
      step_bf16<T>(piece, memory, b, row, column, k);
    else
      step_tf32<T, kSplitA, kSplitB>(piece, memory, b, row, column, k);
}

// Integers of at most 8 bits are exact in TF32, so they need no split. Whether an operand holds such integers
// is known only at run time, so versions with and without the split are compiled.
template <Multiply kHow, class T, class OperandA, class OperandB>
__device__ __forceinline__ void multiply_chunk(Piece& piece, const float* memory, int depth,
                                               const OperandA& a, const OperandB& b) {
  constexpr bool kSplit = kHow == Multiply::split_tf32;
  if (kSplit && a.holds_bytes())
    multiply_steps<kHow, T, false, kSplit>(piece, memory, depth);
  else if (kSplit && b.holds_bytes())
    multiply_steps<kHow, T, kSplit, false>(piece, memory, depth);
  else
    multiply_steps<kHow, T, kSplit, kSplit>(piece, memory, depth);
}

// Every operand has two functions. fetch(k) starts the loads of the chunk that begins at k without using
// their results, and commit(fetched, k, panel) writes the chunk to shared memory. Elements outside the matrix
// are 0.

struct Floating {
  static __device__ constexpr bool holds_bytes() { return false; }
};

// The first `count` floats at `at`: four if `count` is larger, and none if it is negative.
struct Span {
  const float* at;
  int count;
};

// An operand of floats. where(k, outer, inner) returns the Span of a group of four. If `aligned` is false,
// groups are not prefetched, because prefetching takes registers and would help only row lengths that are not
// a multiple of four.
template <class P, class Where>
struct Loaded : Floating {
  struct Fetched {
    Floats<4> groups[P::kGroups];
  };
  Where where;
  bool aligned;

  __device__ __forceinline__ Fetched fetch(int k) const {
    Fetched fetched{};
    if (!aligned) return fetched;
    P::for_groups([&](int i, int outer, int inner) {
      const Span span = where(k, outer, inner);
      if (span.count > 0) fetched.groups[i] = load<4>(span.at);
    });
    return fetched;
  }
  __device__ __forceinline__ void commit(const Fetched& fetched, int k, float* panel) const {
    if (aligned) {
      P::for_groups([&](int i, int outer, int inner) {
        store_shared(panel + outer * P::kStride + inner, fetched.groups[i]);
      });
      return;
    }
#pragma unroll 1
    for (int i = 0; i < P::kGroups; ++i) {
      const auto [outer, inner] = P::group(i);
      const Span odd = where(k, outer, inner);
      store_shared(panel + outer * P::kStride + inner, load_some<false>(odd.at, odd.count));
    }
  }
};
template <class P, class Where>
__device__ __forceinline__ Loaded<P, Where> loaded(bool aligned, const Where& where) {
  return {{}, where, aligned};
}
// An operand whose only chunk is in shared memory from the beginning.
struct InPlace : Floating {
  struct Fetched {};
  __device__ Fetched fetch(int) const { return {}; }
  __device__ void commit(const Fetched&, int, float*) const {}
};

// Computes the tile's product over k < depth. The caller may fetch the operands separately: an operand that
// the preceding kernel does not write can be fetched before that kernel has ended.
template <Multiply kHow, class T, class OperandA, class OperandB>
struct Product {
  OperandA a;
  OperandB b;
  int depth;
  typename OperandA::Fetched next_a[T::kAhead];
  typename OperandB::Fetched next_b[T::kAhead];

  __device__ __forceinline__ Product(const OperandA& a_, const OperandB& b_, int depth_)
      : a(a_), b(b_), depth(depth_) {}
  __device__ __forceinline__ void fetch_a() {
#pragma unroll
    for (int i = 0; i < T::kAhead; ++i) next_a[i] = a.fetch(i * T::kK);
  }
  __device__ __forceinline__ void fetch_b() {
#pragma unroll
    for (int i = 0; i < T::kAhead; ++i) next_b[i] = b.fetch(i * T::kK);
  }
  // Must be called after fetch_a() and fetch_b(). `memory` is T::kFloats floats of shared memory that no
  // thread uses when the call begins.
  __device__ __forceinline__ Piece run(float* memory) {
    Piece piece{};
    for (int first = 0; first < depth; first += T::kAhead * T::kK)
#pragma unroll
      for (int i = 0; i < T::kAhead; ++i) {
        const int k = first + i * T::kK, later = k + T::kAhead * T::kK;
        if (k >= depth) break;
        b.commit(next_b[i], k, memory + T::A::kFloats);
        a.commit(next_a[i], k, memory);
        __syncthreads();
        if (later < depth) {
          next_b[i] = b.fetch(later);
          next_a[i] = a.fetch(later);
        }
        multiply_chunk<kHow, T>(piece, memory, min(T::kK, depth - k), a, b);
        __syncthreads();
      }
    return piece;
  }
};
template <Multiply kHow, class T, class OperandA, class OperandB>
__device__ __forceinline__ Product<kHow, T, OperandA, OperandB> product_of(const OperandA& a,
                                                                           const OperandB& b, int depth) {
  return {a, b, depth};
}

// Writes the pieces to `memory`, which the product no longer needs. Afterwards tile_sum() may be called.
template <class T>
__device__ __forceinline__ void store_piece(float* memory, const Piece& piece) {
  const int warp = threadIdx.x / 32, share = warp / T::kPieces, place = warp % T::kPieces;
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  float* at = memory + (share * T::kM + place % T::kPiecesM * 16 + g) * T::kSumStride +
              place / T::kPiecesM * 16 + 2 * t;
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int i = 0; i < 4; i += 2)
      *reinterpret_cast<float2*>(at + i / 2 * 8 * T::kSumStride + 8 * half) =
          make_float2(piece.v[half][i], piece.v[half][i + 1]);
  __syncthreads();
}

template <class T>
__device__ __forceinline__ float tile_sum(const float* memory, int row, int column) {
  float sum = 0.0f;
#pragma unroll
  for (int share = 0; share < T::kShares; ++share)
    sum += memory[(share * T::kM + row) * T::kSumStride + column];
  return sum;
}
// Returns the columns column, ..., column + 3 of a row of the finished tile.
template <class T>
__device__ __forceinline__ Floats<4> tile_sums(const float* memory, int row, int column) {
  Floats<4> sum{};
#pragma unroll
  for (int share = 0; share < T::kShares; ++share) {
    const Floats<4> x = load<4>(memory + (share * T::kM + row) * T::kSumStride + column);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += x[i];
  }
  return sum;
}

// Each thread processes one column and every (kThreads / columns)-th row of a finished tile. In a tile of 16
// columns, a warp processes two rows that are two apart, because their banks differ.
__device__ __forceinline__ int element_column(int columns) { return static_cast<int>(threadIdx.x) % columns; }
__device__ __forceinline__ int element_row(int columns, int number) {
  const int row = static_cast<int>(threadIdx.x) / columns;
  return number * (kThreads / columns) + (columns == 16 ? (row & ~3) | (row & 1) << 1 | (row >> 1 & 1) : row);
}

}  // namespace
}  // namespace gpuvae::kernels
