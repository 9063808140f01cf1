// Matrix products that skip zeros. The sparse factor is packed into panels of four rows. Packing omits each
// column of a panel whose four elements are all zero, and the product reads only the rows of the other factor
// that belong to the remaining columns. A column of a panel is one pixel of four images: in MNIST, 19 % of
// the pixels are not zero, and 38 % of the columns remain.
#include "kernels/cpu/gemm/sparse_gemm.h"

#include <algorithm>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/bias_activation.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm/sparse_gemm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

// Code that all instruction sets share. foreach_target includes this file once for each of them.
#ifndef GPUVAE_KERNELS_CPU_SPARSE_GEMM_ONCE
#define GPUVAE_KERNELS_CPU_SPARSE_GEMM_ONCE
namespace gpuvae::kernels {
namespace {

constexpr std::int64_t kPanel = 4;  // rows of the sparse factor that are multiplied together

// c(i, j) = sum over p < depth of s(i, p) * d(p, j), for i < rows and j < columns. The stride s_i is the
// distance in elements between s(i, p) and s(i + 1, p); the other strides are analogous. One of the two
// strides of each factor is 1.
struct SparseProduct {
  std::int64_t rows = 0, columns = 0, depth = 0;
  const float *s = nullptr, *d = nullptr;
  float* c = nullptr;
  std::int64_t s_i = 0, s_p = 0, d_p = 0, d_j = 0, c_i = 0, c_j = 0;
  bool accumulate = false;

  std::int64_t panels() const { return (rows + kPanel - 1) / kPanel; }
};

SparseProduct sparse_a(const GemmArgs& g) {
  SparseProduct x{.rows = g.m, .columns = g.n, .depth = g.k, .accumulate = g.accumulate};
  x.s = as<float>(g.a);
  x.s_i = g.transpose_a ? 1 : g.k;
  x.s_p = g.transpose_a ? g.m : 1;
  x.d = as<float>(g.b);
  x.d_p = g.transpose_b ? 1 : g.n;
  x.d_j = g.transpose_b ? g.k : 1;
  x.c = as<float>(g.c);
  x.c_i = g.n;
  x.c_j = 1;
  return x;
}
// Describes the product with b as the sparse factor: transpose(c) = transpose(b) transpose(a).
SparseProduct sparse_b(const GemmArgs& g) {
  SparseProduct x = sparse_a(g);
  std::swap(x.rows, x.columns);
  std::swap(x.s, x.d);
  std::swap(x.c_i, x.c_j);
  std::swap(x.s_i, x.d_j);
  std::swap(x.s_p, x.d_p);
  return x;
}

// The packed sparse factor.
struct Panels {
  explicit Panels(const SparseProduct& g)
      : value_memory(g.panels() * g.depth * kPanel),
        index_memory(g.panels() * (g.depth + 1)),
        count(index + g.panels() * g.depth) {}

  Scratch<float> value_memory;
  Scratch<std::int32_t> index_memory;
  float* values = value_memory.get();  // [panels, depth, kPanel]; a panel begins with its nonzero columns
  std::int32_t* index = index_memory.get();  // [panels, depth], the p of these columns
  std::int32_t* count;                       // [panels], the number of these columns
};

}  // namespace
}  // namespace gpuvae::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
bool SparseGemm(const SparseProduct&) { return false; }  // the caller then uses oneDNN
#else

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::int64_t kLanes = HWY_LANES(float);
// Twelve vectors of sums, three of d and one of s fill the sixteen vector registers of AVX2.
constexpr int kVectors = 3;
constexpr std::int64_t kStrip = kVectors * kLanes;

// Transposes each 4 x 4 block of four vectors.
template <class D>
HWY_INLINE void transpose(D d, hn::Vec<D> (&v)[4]) {
  const hn::RepartitionToWide<D> wide;
  const auto pairs = [&](auto lower, auto upper, auto& low, auto& high) HWY_ATTR {
    low = hn::BitCast(d, hn::InterleaveLower(wide, hn::BitCast(wide, lower), hn::BitCast(wide, upper)));
    high = hn::BitCast(d, hn::InterleaveUpper(wide, hn::BitCast(wide, lower), hn::BitCast(wide, upper)));
  };
  const auto low01 = hn::InterleaveLower(d, v[0], v[1]), high01 = hn::InterleaveUpper(d, v[0], v[1]);
  const auto low23 = hn::InterleaveLower(d, v[2], v[3]), high23 = hn::InterleaveUpper(d, v[2], v[3]);
  pairs(low01, low23, v[0], v[1]);
  pairs(high01, high23, v[2], v[3]);
}

using D4 = hn::CappedTag<float, kPanel>;
using V4 = hn::Vec<D4>;
// Calls body(i, vector) for each block of four lanes.
template <class D, class Body>
HWY_INLINE void each_block([[maybe_unused]] D d, hn::Vec<D> v, int i, const Body& body) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    body(i, v);
  } else {
    const hn::Half<D> half;
    each_block(half, hn::LowerHalf(half, v), i, body);
    each_block(half, hn::UpperHalf(half, v), i + static_cast<int>(hn::MaxLanes(half)) / 4, body);
  }
}

// Loads blocks of four lanes that are `stride` elements apart.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const float* from, [[maybe_unused]] std::int64_t stride) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    constexpr std::int64_t kBlocks = static_cast<std::int64_t>(hn::MaxLanes(half)) / 4;
    return hn::Combine(d, load_blocks(half, from + kBlocks * stride, stride),
                       load_blocks(half, from, stride));
  }
}

// Copies four elements of each of as many rows as d has lanes to four rows: to(q, j) = from(j, q).
template <class D>
HWY_INLINE void transpose_rows(D d, const float* from, std::int64_t from_stride, float* to) {
  hn::Vec<D> v[4];
  for (int r = 0; r < 4; ++r) v[r] = load_blocks(d, from + r * from_stride, 4 * from_stride);
  transpose(d, v);
  for (int r = 0; r < 4; ++r) hn::StoreU(v[r], d, to + r * kStrip);
}

void pack_panel(const SparseProduct& g, const Panels& to, std::int64_t panel) {
  const D4 d;
  const std::int64_t first = panel * kPanel, rows = std::min(kPanel, g.rows - first);
  const std::int64_t depth = g.depth, s_i = g.s_i, s_p = g.s_p;
  const float* s = g.s + first * s_i;
  float* values = to.values + panel * depth * kPanel;
  std::int32_t* index = to.index + panel * depth;
  std::int64_t count = 0, p = 0;
  // Every column is written, but `count` advances only past a column that is not zero. A branch would often
  // be mispredicted.
  const auto add = [&](V4 column) HWY_ATTR {
    hn::StoreU(column, d, values + count * kPanel);
    index[count] = static_cast<std::int32_t>(p++);
    count += !hn::AllTrue(d, hn::Eq(column, hn::Zero(d)));
  };
  if (rows == kPanel && s_i == 1)
    while (p < depth) add(hn::LoadU(d, s + p * s_p));
  if (rows == kPanel && s_p == 1)
    while (p + 4 <= depth) {
      V4 v[4];
      for (int r = 0; r < 4; ++r) v[r] = hn::LoadU(d, s + r * s_i + p);
      transpose(D4(), v);
      for (const V4& column : v) add(column);
    }
  while (p < depth) {
    HWY_ALIGN float column[kPanel] = {};
    for (std::int64_t r = 0; r < rows; ++r) column[r] = s[r * s_i + p * s_p];
    add(hn::Load(d, column));
  }
  to.count[panel] = static_cast<std::int32_t>(count);
}

// Copies a strip of d to [depth, kStrip], with zeros beyond the last column.
void pack_strip(const SparseProduct& g, std::int64_t first, float* to) {
  const D d;
  const D4 d4;
  constexpr std::int64_t kLine = 16;  // floats per cache line; all of a line is used before the next is read
  const std::int64_t width = std::min(kStrip, g.columns - first), d_p = g.d_p, d_j = g.d_j;
  const float* from = g.d + first * d_j;
  const auto copy_row = [&](std::int64_t p, std::int64_t j) {
    for (; j < kStrip; ++j) to[p * kStrip + j] = j < width ? from[p * d_p + j * d_j] : 0;
  };
  std::int64_t p = 0;
  if (d_j == 1 && width == kStrip)
    for (; p < g.depth; ++p)
      for (int v = 0; v < kVectors; ++v)
        hn::Store(hn::LoadU(d, from + p * d_p + v * kLanes), d, to + p * kStrip + v * kLanes);
  if (d_p == 1)
    for (; p + kLine <= g.depth; p += kLine) {
      std::int64_t j = 0;
      const auto copy_rows = [&](auto lanes) HWY_ATTR {
        constexpr auto kRows = static_cast<std::int64_t>(hn::MaxLanes(lanes));
        for (; j + kRows <= width; j += kRows)
          for (std::int64_t q = p; q < p + kLine; q += 4)
            transpose_rows(lanes, from + j * d_j + q, d_j, to + q * kStrip + j);
      };
      copy_rows(d);
      copy_rows(d4);
      for (std::int64_t q = p; q < p + kLine; ++q) copy_row(q, j);
    }
  for (; p < g.depth; ++p) copy_row(p, 0);
}

// Stores the sums of a tile (a panel times a strip) to c, beginning at element (i, j).
template <int W>
HWY_INLINE void store_tile(const SparseProduct& g, std::int64_t i, std::int64_t j,
                           const V (&sum)[kPanel][W]) {
  const D d;
  const D4 d4;
  const std::int64_t rows = std::min(kPanel, g.rows - i), width = g.columns - j, c_j = g.c_j;
  const bool accumulate = g.accumulate, whole = rows == kPanel && width >= W * kLanes;
  float* c = g.c + i * g.c_i + j * c_j;
  if (whole && c_j == 1) {
    for (int r = 0; r < kPanel; ++r)
      for (int v = 0; v < W; ++v) {
        float* to = c + r * g.c_i + v * kLanes;
        hn::StoreU(accumulate ? hn::Add(sum[r][v], hn::LoadU(d, to)) : sum[r][v], d, to);
      }
    return;
  }
  // Stores the tile by columns, which are `stride` elements apart.
  const auto store = [&](float* to, std::int64_t stride, bool add) HWY_ATTR {
    for (int v = 0; v < W; ++v) {
      V column[kPanel] = {sum[0][v], sum[1][v], sum[2][v], sum[3][v]};
      transpose(d, column);
      for (int q = 0; q < kPanel; ++q)
        each_block(d, column[q], v * static_cast<int>(kLanes / 4), [&](int block, V4 values) HWY_ATTR {
          float* at = to + (4 * block + q) * stride;
          hn::StoreU(add ? hn::Add(values, hn::LoadU(d4, at)) : values, d4, at);
        });
    }
  };
  if (whole && g.c_i == 1) return store(c, c_j, accumulate);
  HWY_ALIGN float columns[kStrip * kPanel];
  store(columns, kPanel, false);
  for (std::int64_t w = 0; w < std::min(width, W * kLanes); ++w)
    for (std::int64_t r = 0; r < rows; ++r) {
      float& to = c[r * g.c_i + w * c_j];
      to = (accumulate ? to : 0) + columns[w * kPanel + r];
    }
}

// Multiplies a panel by the first W vectors of each row of a strip.
template <int W>
void multiply_tile(const SparseProduct& g, const Panels& panels, std::int64_t panel, const float* strip,
                   std::int64_t j) {
  const D d;
  const float* values = panels.values + panel * g.depth * kPanel;
  const std::int32_t* index = panels.index + panel * g.depth;
  V sum[kPanel][W];
  for (int r = 0; r < kPanel; ++r)
    for (int v = 0; v < W; ++v) sum[r][v] = hn::Zero(d);
  for (std::int32_t e = 0, count = panels.count[panel]; e < count; ++e) {
    const float* row = strip + index[e] * kStrip;
    V y[W];
    for (int v = 0; v < W; ++v) y[v] = hn::Load(d, row + v * kLanes);
    for (int r = 0; r < kPanel; ++r) {
      const V x = hn::Set(d, values[e * kPanel + r]);
      for (int v = 0; v < W; ++v) sum[r][v] = hn::MulAdd(x, y[v], sum[r][v]);
    }
  }
  store_tile(g, panel * kPanel, j, sum);
}

bool SparseGemm(const SparseProduct& g) {
  const Panels packed(g);
  const std::int64_t panels = g.panels(), tiles = panels * ((g.columns + kStrip - 1) / kStrip);
  parallel_for(panels, true, [&](std::int64_t panel) { pack_panel(g, packed, panel); });
  // Each piece is a run of consecutive tiles, which multiplies many panels by one strip while that strip is
  // in the cache. More pieces would pack more strips twice.
  constexpr std::int64_t kPieces = 8;
  parallel_for(kPieces, true, [&](std::int64_t piece) {
    const std::int64_t end = tiles * (piece + 1) / kPieces;
    const Scratch<float> memory(g.depth * kStrip);
    for (std::int64_t tile = tiles * piece / kPieces, strip = -1; tile < end; ++tile) {
      if (strip != tile / panels) {
        strip = tile / panels;
        pack_strip(g, strip * kStrip, memory.get());
      }
      const std::int64_t j = strip * kStrip, width = g.columns - j;
      const auto multiply = width <= kLanes       ? multiply_tile<1>
                            : width <= 2 * kLanes ? multiply_tile<2>
                                                  : multiply_tile<kVectors>;
      multiply(g, packed, tile % panels, memory.get(), j);
    }
  });
  return true;
}

#endif
}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
namespace {
HWY_EXPORT(SparseGemm);

// Samples 128 columns of panels and returns whether at most `most` of them are not zero. A low-discrepancy
// sequence (R2, Roberts 2018) chooses the columns.
bool is_sparse(const SparseProduct& g, int most) {
  const auto share = [](std::uint32_t fraction, std::int64_t of) {
    return static_cast<std::int64_t>(fraction * static_cast<std::uint64_t>(of) >> 32);
  };
  int active = 0;
  for (std::uint32_t t = 1; t <= 128 && active <= most; ++t) {
    const std::int64_t i = share(t * 0x91E10DA6u, g.rows / kPanel) * kPanel;
    const float* s = g.s + i * g.s_i + share(t * 0xC13FA9A9u, g.depth) * g.s_p;
    bool any = false;
    for (std::int64_t r = 0; r < kPanel && !any; ++r) any = s[r * g.s_i] != 0;
    active += any;
  }
  return active <= most;
}
}  // namespace

bool sparse_gemm(const GemmArgs& g) {
  // The smallest sizes, and the largest number of sampled columns that are not zero, at which this product is
  // faster than oneDNN, as measured with AVX2.
  constexpr std::int64_t kLeastWork = 2'000'000, kLeastSide = 16;
  constexpr int kMaxActive = 80;
  if (g.m * g.n * g.k < kLeastWork || std::min({g.m, g.n, g.k}) < kLeastSide) return false;
  SparseProduct product = sparse_a(g);
  if (!is_sparse(product, kMaxActive)) {
    product = sparse_b(g);
    if (!is_sparse(product, kMaxActive)) return false;
  }
  if (!HWY_DYNAMIC_DISPATCH(SparseGemm)(product)) return false;
  if (g.bias || g.activation != Activation::identity) add_bias_and_activate(g);
  return true;
}
}  // namespace gpuvae::kernels
#endif
