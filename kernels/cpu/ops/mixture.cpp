// The log density of a mixture of diagonal Gaussians, and its gradients. SIMD lanes hold different
// components. A tile of components stays in the cache while rows are processed four at a time.
#include "kernels/math/mixture.h"

#include <vector>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/mixture.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

constexpr std::int64_t kTeam = 4;        // rows that share a load of a component
constexpr std::int64_t kRowBlock = 16;   // rows per work item
constexpr std::int64_t kTile = 256;      // components per tile of the log density and of d_z
constexpr std::int64_t kStatsTile = 64;  // components per tile of the components' gradients
constexpr std::int64_t kStatsRows = 64;  // rows that are summed in T before the sums are added in double

// The workspace, [2 latent + 1, stride]. Components beyond the last one have offset -infinity.
template <class T>
struct Components {
  explicit Components(const MixtureArgs& g)
      : stride(mixture_stride(g.components)),
        latent(g.latent),
        mean(as<T>(g.workspace)),
        inverse(mean + latent * stride),
        offset(inverse + latent * stride) {}
  std::int64_t stride, latent;
  T* mean;
  T* inverse;  // 1 / sigma
  T* offset;   // see math::mixture_offset
};

template <class T>
void prepare(const MixtureArgs& g) {
  const Components<T> to(g);
  parallel_for(to.stride, g.components * g.latent >= kCostlyGrain, [&](std::int64_t k) {
    const bool exists = k < g.components;
    const T* component_params = as<T>(g.component_params) + k * 2 * g.latent;
    double offset = exists ? 0 : -INFINITY;
    for (std::int64_t d = 0; d < g.latent; ++d) {
      const auto sigma = math::posterior_sigma(g.scale, exists ? component_params[g.latent + d] : T(0));
      to.mean[d * to.stride + k] = exists ? component_params[d] : T(0);
      to.inverse[d * to.stride + k] = math::inverse_sigma(sigma);
      offset += static_cast<double>(math::mixture_offset(sigma));
    }
    if (exists)
      offset += g.log_weights ? static_cast<double>(as<T>(g.log_weights)[k])
                              : -std::log(static_cast<double>(g.components));
    to.offset[k] = static_cast<T>(offset);
  });
}

// The rows `row`, ..., `row` + 3 of z. Rows from `end` on repeat the last row, and their results are not
// used.
template <class T>
struct Team {
  Team(const MixtureArgs& g, std::int64_t row, std::int64_t end) : count(std::min(kTeam, end - row)) {
    for (std::int64_t j = 0; j < kTeam; ++j) {
      const std::int64_t at = std::min(row + j, end - 1);
      z[j] = as<T>(g.z) + at * g.latent;
      left_out[j] = g.left_out ? g.left_out[at] : -1;
    }
  }
  std::int64_t count;
  const T* z[kTeam];
  std::int32_t left_out[kTeam];  // see MixtureArgs::left_out
};

// See math::left_out_shift.
double shift_of_row(const MixtureArgs& g, std::int64_t row) {
  return g.left_out ? math::left_out_shift<double>(g.components, g.left_out[row]) : 0;
}

// Computes terms[j][k - first] = log(w_k N_k(row j)) for the tile of components that starts at `first`.
// Returns the number of terms per row, which is a multiple of the vector's lanes.
template <std::int64_t tile, class T>
HWY_INLINE std::int64_t tile_terms(const Components<T>& c, const Team<T>& team, std::int64_t first,
                                   T (&terms)[kTeam][tile]) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const hn::ScalableTag<T> d;
  const std::int64_t count = std::min(tile, c.stride - first);
  for (std::int64_t k = 0; k < count; k += HWY_LANES(T)) {
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    const T* mean = c.mean + first + k;
    const T* inverse = c.inverse + first + k;
    for (std::int64_t i = 0; i < c.latent; ++i, mean += c.stride, inverse += c.stride) {
      const V m = hn::LoadU(d, mean), r = hn::LoadU(d, inverse);
      const auto add_square = [&](int j, V& sum) HWY_ATTR {
        const V u = hn::Mul(hn::Sub(hn::Set(d, team.z[j][i]), m), r);
        sum = hn::MulAdd(u, u, sum);
      };
      add_square(0, s0), add_square(1, s1), add_square(2, s2), add_square(3, s3);
    }
    const V offset = hn::LoadU(d, c.offset + first + k), half = constant<V>(0.5);
    const auto finish = [&](int j, V sum)
                            HWY_ATTR { hn::StoreU(hn::NegMulAdd(half, sum, offset), d, terms[j] + k); };
    finish(0, s0), finish(1, s1), finish(2, s2), finish(3, s3);
  }
  for (std::int64_t j = 0; j < kTeam; ++j)
    if (const std::int64_t k = team.left_out[j] - first; team.left_out[j] >= 0 && k >= 0 && k < count)
      terms[j][k] = -std::numeric_limits<T>::infinity();
  return count;
}

// Adds the exponentials of a tile's terms to a row's total.
template <class T>
HWY_INLINE void add_terms(const T* terms, std::int64_t count, math::LogSumExp<double>& total) {
  const hn::ScalableTag<T> d;
  auto most = hn::Set(d, terms[0]);
  for (std::int64_t k = 0; k < count; k += HWY_LANES(T)) most = hn::Max(most, hn::LoadU(d, terms + k));
  const T highest = hn::GetLane(hn::MaxOfLanes(d, most));
  // The shift is 0 if `highest` is -infinity or NaN.
  const auto shift = hn::Set(d, highest > -std::numeric_limits<T>::infinity() ? highest : T(0));
  Sum<T> sum;
  for (std::int64_t k = 0; k < count; k += HWY_LANES(T))
    sum.add(exp_of_moderate(hn::Sub(hn::LoadU(d, terms + k), shift)));
  const double tile_sum = sum.total();
  if (tile_sum != 0) total.add({static_cast<double>(hn::GetLane(shift)), tile_sum});
}

// Calls body(begin, end) for blocks of rows.
template <class Body>
void row_blocks(const MixtureArgs& g, const Body& body) {
  const bool worth = g.rows * g.components * (g.latent + 4) >= kCostlyGrain;
  parallel_for((g.rows + kRowBlock - 1) / kRowBlock, worth, [&](std::int64_t block) {
    body(block * kRowBlock, std::min(g.rows, (block + 1) * kRowBlock));
  });
}

template <class T>
void mixture_of(const MixtureArgs& g) {
  prepare<T>(g);
  const Components<T> c(g);
  row_blocks(g, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    HWY_ALIGN T terms[kTeam][kTile];
    math::LogSumExp<double> totals[kRowBlock];
    for (std::int64_t first = 0; first < c.stride; first += kTile)
      for (std::int64_t row = begin; row < end; row += kTeam) {
        const Team<T> team(g, row, end);
        const std::int64_t count = tile_terms<kTile>(c, team, first, terms);
        for (std::int64_t j = 0; j < team.count; ++j) add_terms(terms[j], count, totals[row - begin + j]);
      }
    for (std::int64_t row = begin; row < end; ++row)
      as<T>(g.out)[row] = static_cast<T>(totals[row - begin].value() + shift_of_row(g, row));
  });
}

// Returns u, or 0 if the weight is 0: u may be infinite for a component so distant that its weight is 0, and
// 0 * infinity would be NaN.
template <class V>
HWY_INLINE V counted(V weight, V u) {
  return hn::IfThenZeroElse(hn::Eq(weight, constant<V>(0)), u);
}

// Replaces a row's terms with the responsibilities, times the gradient of the loss with respect to the row's
// output.
template <class T>
HWY_INLINE void weigh(const MixtureBackwardArgs& b, std::int64_t row, std::int64_t count, T* terms) {
  const hn::ScalableTag<T> d;
  const T without_shift =
      static_cast<T>(static_cast<double>(as<T>(b.forward.out)[row]) - shift_of_row(b.forward, row));
  const auto total = hn::Set(d, without_shift), upstream = hn::Set(d, as<T>(b.d_out)[row]);
  for (std::int64_t k = 0; k < count; k += HWY_LANES(T)) {
    const auto share = exp_of_moderate(hn::Sub(hn::LoadU(d, terms + k), total));
    hn::StoreU(hn::Mul(upstream, share), d, terms + k);
  }
}

template <class T>
void d_z_of(const MixtureBackwardArgs& b) {
  const MixtureArgs& g = b.forward;
  const Components<T> c(g);
  const hn::ScalableTag<T> d;
  row_blocks(g, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    HWY_ALIGN T weights[kTeam][kTile];
    T* d_z = as<T>(b.d_z);
    std::fill(d_z + begin * g.latent, d_z + end * g.latent, T(0));
    for (std::int64_t first = 0; first < c.stride; first += kTile)
      for (std::int64_t row = begin; row < end; row += kTeam) {
        const Team<T> team(g, row, end);
        const std::int64_t count = tile_terms<kTile>(c, team, first, weights);
        for (std::int64_t j = 0; j < team.count; ++j) {
          weigh<T>(b, row + j, count, weights[j]);
          for (std::int64_t i = 0; i < g.latent; ++i) {
            const auto z = hn::Set(d, team.z[j][i]);
            auto sum = hn::Zero(d);
            for (std::int64_t k = 0; k < count; k += HWY_LANES(T)) {
              const std::int64_t at = i * c.stride + first + k;
              const auto inverse = hn::LoadU(d, c.inverse + at);
              const auto u = hn::Mul(hn::Sub(z, hn::LoadU(d, c.mean + at)), inverse);
              const auto weight = hn::LoadU(d, weights[j] + k);
              sum = hn::NegMulAdd(hn::Mul(weight, counted(weight, u)), inverse, sum);
            }
            d_z[(row + j) * g.latent + i] += hn::GetLane(hn::SumOfLanes(d, sum));
          }
        }
      }
  });
}

// Sums over rows of q, q u and q u^2 for a tile of components, where q is the result of weigh().
template <class T>
struct TileSums {
  explicit TileSums(std::int64_t latent)
      : q(kStatsTile), qu(static_cast<std::size_t>(latent * kStatsTile)), quu(qu.size()) {}
  std::vector<double> q, qu, quu;
};

// Adds the rows begin, ..., end - 1, at most kStatsRows, to the sums of the tile that starts at `first`.
template <class T>
void add_rows(const MixtureBackwardArgs& b, const Components<T>& c, std::int64_t first, std::int64_t begin,
              std::int64_t end, TileSums<T>& sums) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const MixtureArgs& g = b.forward;
  const hn::ScalableTag<T> d;
  HWY_ALIGN T weights[kStatsRows / kTeam][kTeam][kStatsTile];
  std::int64_t count = 0;
  for (std::int64_t row = begin; row < end; row += kTeam) {
    const Team<T> team(g, row, end);
    auto& of_team = weights[(row - begin) / kTeam];
    count = tile_terms<kStatsTile>(c, team, first, of_team);
    for (std::int64_t j = 0; j < team.count; ++j) weigh<T>(b, row + j, count, of_team[j]);
  }
  const auto weight = [&](std::int64_t row) { return weights[row / kTeam][row % kTeam]; };
  const auto add = [&](double* to, V sum) HWY_ATTR {
    HWY_ALIGN T lanes[HWY_LANES(T)];
    hn::Store(sum, d, lanes);
    for (std::int64_t k = 0; k < std::int64_t{HWY_LANES(T)}; ++k) to[k] += static_cast<double>(lanes[k]);
  };
  for (std::int64_t k = 0; k < count; k += HWY_LANES(T)) {
    V q = hn::Zero(d);
    for (std::int64_t row = 0; row < end - begin; ++row) q = hn::Add(q, hn::LoadU(d, weight(row) + k));
    add(sums.q.data() + k, q);
    for (std::int64_t i = 0; i < g.latent && b.d_component_params; ++i) {
      const V mean = hn::LoadU(d, c.mean + i * c.stride + first + k);
      const V inverse = hn::LoadU(d, c.inverse + i * c.stride + first + k);
      V qu = hn::Zero(d), quu = qu;
      for (std::int64_t row = 0; row < end - begin; ++row) {
        const V z = hn::Set(d, as<T>(g.z)[(begin + row) * g.latent + i]);
        const V q = hn::LoadU(d, weight(row) + k), u = counted(q, hn::Mul(hn::Sub(z, mean), inverse));
        const V weighted = hn::Mul(q, u);
        qu = hn::Add(qu, weighted);
        quu = hn::MulAdd(weighted, u, quu);
      }
      add(sums.qu.data() + i * kStatsTile + k, qu);
      add(sums.quu.data() + i * kStatsTile + k, quu);
    }
  }
}

template <class T>
void write_component(const MixtureBackwardArgs& b, std::int64_t k, std::int64_t in_tile,
                     const TileSums<T>& sums) {
  const MixtureArgs& g = b.forward;
  const auto q = static_cast<std::size_t>(in_tile);
  if (b.d_log_weights) as<T>(b.d_log_weights)[k] = static_cast<T>(sums.q[q]);
  if (!b.d_component_params) return;
  const T* component_params = as<T>(g.component_params) + k * 2 * g.latent;
  T* d_component_params = as<T>(b.d_component_params) + k * 2 * g.latent;
  for (std::int64_t i = 0; i < g.latent; ++i) {
    const auto at = static_cast<std::size_t>(i * kStatsTile + in_tile);
    const auto sigma = math::posterior_sigma(g.scale, component_params[g.latent + i]);
    const auto slopes = math::mixture_slopes(static_cast<T>(sums.q[q]), static_cast<T>(sums.qu[at]),
                                             static_cast<T>(sums.quu[at]), sigma);
    d_component_params[i] = slopes.mean;
    d_component_params[g.latent + i] = slopes.scale;
  }
}

template <class T>
void d_components_of(const MixtureBackwardArgs& b) {
  const MixtureArgs& g = b.forward;
  const Components<T> c(g);
  const bool worth = g.rows * g.components * (g.latent + 4) >= kCostlyGrain;
  parallel_for((g.components + kStatsTile - 1) / kStatsTile, worth, [&](std::int64_t tile) {
    const std::int64_t first = tile * kStatsTile, last = std::min(g.components, first + kStatsTile);
    TileSums<T> sums(g.latent);
    for (std::int64_t row = 0; row < g.rows; row += kStatsRows)
      add_rows(b, c, first, row, std::min(g.rows, row + kStatsRows), sums);
    for (std::int64_t k = first; k < last; ++k) write_component(b, k, k - first, sums);
  });
}

void Mixture(const MixtureArgs& g) {
  with_float(g.dtype, "mixture", [&](auto type) { mixture_of<decltype(type)>(g); });
}
void MixtureBackward(const MixtureBackwardArgs& b) {
  with_float(b.forward.dtype, "mixture_backward", [&](auto type) {
    if (b.d_z) d_z_of<decltype(type)>(b);
    if (b.d_component_params || b.d_log_weights) d_components_of<decltype(type)>(b);
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Mixture);
HWY_EXPORT(MixtureBackward);
void CpuBackend::run(const MixtureArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Mixture)(g); }
void CpuBackend::run(const MixtureBackwardArgs& b, StreamHandle) { HWY_DYNAMIC_DISPATCH(MixtureBackward)(b); }
}  // namespace gpuvae::kernels
#endif
