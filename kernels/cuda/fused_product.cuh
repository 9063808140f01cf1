// A block's tile of a matrix product, c[m, n] = sum over k of a[m, k] b[n, k], for the fused training step.
// Its operands pass through shared memory in chunks of k, two of which are there at a time; warps share the
// tile's 16 x 16 pieces and, where there are more warps than pieces, the k of each, whose sums are added in a
// fixed order. Three ways to multiply, one layout of accumulators.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace gpuvae::kernels {

enum class Multiply { ffma, tf32, bf16 };

namespace {

constexpr int kWarps = kThreads / 32;

// A 16 x 16 piece: accumulators of two mma of 16 x 8, side by side.
struct Piece {
  float v[2][4];
};

// Whether a factor is multiplied as the sum of two TF32 numbers, or as one: because that is asked for, or
// because it is an integer of at most 8 bits. With both factors split, three products are about as good as
// f32: the fourth, of the small parts, is below its rounding.
struct Split {
  bool a = true, b = true;
};

// kRows rows of an operand for kDepth steps of k in shared memory, k running along a row or down the rows.
// Strides keep the lanes of a fragment in different banks.
template <int kRows, int kDepth, bool kDown>
struct Panel {
  static constexpr int kOuter = kDown ? kDepth : kRows, kInner = kDown ? kRows : kDepth;
  static constexpr int kStride = kDown ? kRows + 8 : kDepth + 4;
  static constexpr int kFloats = kOuter * kStride;
  static constexpr int kGroups = kOuter * kInner / 4 / kThreads;  // of four floats, a thread
  static_assert(kGroups * 4 * kThreads == kOuter * kInner);

  static __device__ __forceinline__ float at(const float* panel, int row, int k) {
    return kDown ? panel[k * kStride + row] : panel[row * kStride + k];
  }
  // f(number, outer, inner) for each of this thread's groups.
  template <class F>
  static __device__ __forceinline__ void for_groups(const F& f) {
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      const int group = static_cast<int>(threadIdx.x) + i * kThreads;
      f(i, group / (kInner / 4), group % (kInner / 4) * 4);
    }
  }
};

// kM x kN, in chunks of kK.
template <int kM_, int kN_, int kK_, bool kADown, bool kBDown>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kK = kK_;
  static constexpr int kPiecesM = kM / 16, kPieces = kPiecesM * (kN / 16), kShares = kWarps / kPieces;
  static_assert(kShares * kPieces == kWarps);
  using A = Panel<kM, kK, kADown>;
  using B = Panel<kN, kK, kBDown>;
  static constexpr int kBuffer = A::kFloats + B::kFloats;
  static constexpr int kSumStride = kN + 4;  // of the finished tile
  static constexpr int kFloats = 2 * kBuffer, kSumFloats = kShares * kM * kSumStride;
  static_assert(kSumFloats <= kFloats);
};

// x, or nearly: high, and what is left, low.
__device__ __forceinline__ void split_tf32(float x, bool wanted, std::uint32_t& high, std::uint32_t& low) {
  high = to_tf32(x);
  low = wanted ? to_tf32(x - __uint_as_float(high & ~0x1fffu)) : 0;
}

// Steps k ... k + 7 of a piece whose first row and column are given, in plain f32.
template <class T>
__device__ __forceinline__ void step_ffma(Piece& piece, const float* a, const float* b, int row, int column,
                                          int k) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int i = k; i < k + 8; ++i) {
    const float upper = T::A::at(a, row + g, i), lower = T::A::at(a, row + g + 8, i);
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float factor = T::B::at(b, column + 8 * half + 2 * t + j, i);
        piece.v[half][j] = fmaf(upper, factor, piece.v[half][j]);
        piece.v[half][2 + j] = fmaf(lower, factor, piece.v[half][2 + j]);
      }
  }
}

// The same on tensor cores.
template <class T>
__device__ __forceinline__ void step_tf32(Piece& piece, const float* a, const float* b, int row, int column,
                                          int k, Split split) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  std::uint32_t a_high[4], a_low[4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
    split_tf32(T::A::at(a, row + g + i % 2 * 8, k + t + i / 2 * 4), split.a, a_high[i], a_low[i]);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    std::uint32_t b_high[2], b_low[2];
#pragma unroll
    for (int i = 0; i < 2; ++i)
      split_tf32(T::B::at(b, column + 8 * half + g, k + t + 4 * i), split.b, b_high[i], b_low[i]);
    if (split.a) mma_tf32(piece.v[half], a_low, b_high);  // small terms first
    if (split.b) mma_tf32(piece.v[half], a_high, b_low);
    mma_tf32(piece.v[half], a_high, b_high);
  }
}

// Steps k ... k + 15.
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
    mma_bf16(piece.v[half], as, bs);
  }
}

// A warp's share of a chunk: every kShares-th step of its piece.
template <Multiply kHow, class T>
__device__ __forceinline__ void multiply_chunk(Piece& piece, const float* buffer, int depth, Split split) {
  constexpr int kStep = kHow == Multiply::bf16 ? 16 : 8;
  const int warp = threadIdx.x / 32, share = warp / T::kPieces, place = warp % T::kPieces;
  const int row = place % T::kPiecesM * 16, column = place / T::kPiecesM * 16;
  const float* b = buffer + T::A::kFloats;
#pragma unroll(T::kShares == 1 ? 2 : 1)
  for (int k = share * kStep; k < depth; k += T::kShares * kStep)
    if constexpr (kHow == Multiply::ffma)
      step_ffma<T>(piece, buffer, b, row, column, k);
    else if constexpr (kHow == Multiply::tf32)
      step_tf32<T>(piece, buffer, b, row, column, k, split);
    else
      step_bf16<T>(piece, buffer, b, row, column, k);
}

// An operand whose groups of four are read from memory: load(k, outer, inner), of the chunk that starts at k.
// Elements outside the matrix are 0.
template <class Load>
struct Loaded {
  static constexpr bool kIsLoaded = true;
  Load load;
};
template <class Load>
__device__ __forceinline__ Loaded<Load> loaded(const Load& load) {
  return {load};
}
// An operand that is in place from the beginning, both chunks of it.
struct InPlace {
  static constexpr bool kIsLoaded = false;
  struct Fetched {};
  __device__ Fetched fetch(int) const { return {}; }
  __device__ void commit(const Fetched&, int, float*) const {}
};
// Other operands are like it: fetch(k) starts what takes long, commit(fetched, k, panel) puts the chunk
// there.

template <class P, class Operand, bool kIsLoaded>
struct Staged {  // the next chunk, on its way through registers
  Floats<4> groups[P::kGroups];

  __device__ __forceinline__ void fetch(const Operand& operand, int k) {
    P::for_groups([&](int i, int outer, int inner) { groups[i] = operand.load(k, outer, inner); });
  }
  __device__ __forceinline__ void commit(const Operand&, int, float* panel) {
    P::for_groups([&](int i, int outer, int inner) {
      *reinterpret_cast<float4*>(panel + outer * P::kStride + inner) =
          make_float4(groups[i][0], groups[i][1], groups[i][2], groups[i][3]);
    });
  }
};
template <class P, class Operand>
struct Staged<P, Operand, false> {
  typename Operand::Fetched fetched;

  __device__ __forceinline__ void fetch(const Operand& operand, int k) { fetched = operand.fetch(k); }
  __device__ __forceinline__ void commit(const Operand& operand, int k, float* panel) {
    operand.commit(fetched, k, panel);
  }
};

// The tile's product over k < depth. `memory` is T::kFloats of shared memory, free when the call begins.
template <Multiply kHow, class T, class OperandA, class OperandB>
__device__ __forceinline__ Piece multiply_tile(float* memory, int depth, const OperandA& a, const OperandB& b,
                                               Split split) {
  Piece piece{};
  Staged<typename T::A, OperandA, OperandA::kIsLoaded> next_a;
  Staged<typename T::B, OperandB, OperandB::kIsLoaded> next_b;
  next_a.fetch(a, 0), next_b.fetch(b, 0);
  next_a.commit(a, 0, memory), next_b.commit(b, 0, memory + T::A::kFloats);
  __syncthreads();
  for (int k = 0, turn = 0; k < depth; k += T::kK, turn ^= 1) {
    const int next = k + T::kK;
    if (next < depth) next_a.fetch(a, next), next_b.fetch(b, next);
    multiply_chunk<kHow, T>(piece, memory + turn * T::kBuffer, min(T::kK, depth - k), split);
    if (next < depth) {
      float* buffer = memory + (turn ^ 1) * T::kBuffer;
      next_a.commit(a, next, buffer), next_b.commit(b, next, buffer + T::A::kFloats);
    }
    __syncthreads();
  }
  return piece;
}

// Puts the pieces into `memory`, which multiply_tile has done with; after this tile_sums may be called.
template <class T>
__device__ __forceinline__ void store_piece(float* memory, const Piece& piece) {
  const int warp = threadIdx.x / 32, share = warp / T::kPieces, place = warp % T::kPieces;
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  float* at = memory + (share * T::kM + place % T::kPiecesM * 16 + g) * T::kSumStride +
              place / T::kPiecesM * 16 + 2 * t;
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int i = 0; i < 4; ++i) at[i / 2 * 8 * T::kSumStride + 8 * half + i % 2] = piece.v[half][i];
  __syncthreads();
}

// Columns column ... column + 3 of a row of the tile.
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

// f(row, column, sums) for this thread's groups of four of the finished tile.
template <class T, class F>
__device__ __forceinline__ void for_tile(const float* memory, const F& f) {
  for (int group = static_cast<int>(threadIdx.x); group < T::kM * (T::kN / 4); group += kThreads) {
    const int row = group / (T::kN / 4), column = group % (T::kN / 4) * 4;
    f(row, column, tile_sums<T>(memory, row, column));
  }
}

}  // namespace
}  // namespace gpuvae::kernels
