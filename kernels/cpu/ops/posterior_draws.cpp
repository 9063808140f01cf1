// Several draws per row from the diagonal Gaussian posterior, with the log ratio of prior and posterior,
// forward and backward.
#include <cmath>

#include "gpuvae/device/likelihood.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/random_blocks.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/posterior_draws.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

#define GPUVAE_FORMULA HWY_INLINE
#include "kernels/math/draws.h"
#undef GPUVAE_FORMULA

// Dimensions per tile, and random numbers per call of draw_blocks.
constexpr std::int64_t kDims = 256, kNumbers = 1024;
// The number of latent values from which multithreading pays off. Each needs a normal number.
constexpr std::int64_t kDrawsGrain = 3000;

// The dimensions first, ..., first + dims - 1 of one row and of its current draw. Elements from `dims` on are
// padding, which adds nothing to any sum: its mean and epsilon are 0 and its sigma is 1.
template <class T>
struct DrawTile {
  using V = hn::Vec<hn::ScalableTag<T>>;
  static constexpr std::int64_t kLanes = HWY_LANES(T);

  const PosteriorDrawsArgs& g;
  std::int64_t row = 0, first = 0, dims = 0, padded = 0;
  std::int64_t drawn_from = 0, drawn = 0;  // the draws whose numbers are in `numbers`
  HWY_ALIGN T mean[kDims], sigma[kDims], log_stddev[kDims], slope[kDims], log_slope[kDims];
  HWY_ALIGN T epsilon[kDims], values[kDims], d_mean[kDims], d_s[kDims];
  HWY_ALIGN float numbers[kNumbers];

  explicit DrawTile(const PosteriorDrawsArgs& args) : g(args) {}

  // Calls body(i) for each vector of the tile.
  template <class Body>
  HWY_INLINE void each(const Body& body) const {
    for (std::int64_t i = 0; i < padded; i += kLanes) body(i);
  }
  // Copies the tile's elements of a matrix with `width` columns, of which `offset` holds dimension 0.
  void load(const T* matrix, std::int64_t at, std::int64_t width, std::int64_t offset, T* to) const {
    std::copy_n(matrix + at * width + offset + first, dims, to);
    std::fill(to + dims, to + padded, T(0));
  }
  // Begins a tile: loads the parameters of the row.
  HWY_INLINE void begin(std::int64_t at_row, std::int64_t from) {
    const hn::ScalableTag<T> d;
    row = at_row;
    first = from;
    dims = std::min(kDims, g.latent - from);
    padded = (dims + kLanes - 1) / kLanes * kLanes;
    drawn = 0;
    load(as<T>(g.posterior_params), row, 2 * g.latent, 0, mean);
    load(as<T>(g.posterior_params), row, 2 * g.latent, g.latent, values);
    const V log_noise_std = constant<V>(std::log(g.noise_std));
    each([&](std::int64_t i) HWY_ATTR {
      const V s = hn::Load(d, values + i), of_s = posterior_sigma(g.scale, s);
      const V slope_of_s = posterior_sigma_slope(g.scale, s, of_s);
      hn::Store(of_s, d, sigma + i);
      hn::Store(hn::Add(posterior_log_sigma(g.scale, s, of_s), log_noise_std), d, log_stddev + i);
      hn::Store(slope_of_s, d, slope + i);
      hn::Store(posterior_log_sigma_slope(g.scale, of_s, slope_of_s), d, log_slope + i);
    });
    for (std::int64_t i = dims; i < padded; ++i) {
      sigma[i] = 1;
      log_stddev[i] = slope[i] = log_slope[i] = 0;
    }
  }
  // Makes epsilon that of draw `k` of the row.
  void draw(std::int64_t k) {
    if (g.epsilon) return load(as<T>(g.epsilon), row * g.draws + k, g.latent, 0, epsilon);
    const std::int64_t width = numbers_per_draw(dims);
    if (k < drawn_from || k >= drawn_from + drawn) {
      // The numbers of several draws are consecutive if a tile has all dimensions.
      drawn_from = k;
      drawn = dims == g.latent ? std::min(std::max<std::int64_t>(1, kNumbers / width), g.draws - k) : 1;
      const std::int64_t blocks_of_draw = numbers_per_draw(g.latent) / 4;
      draw_blocks({g.noise, 4 * blocks_of_draw * g.draws, (row * g.draws + k) * blocks_of_draw + first / 4,
                   drawn * width / 4},
                  true, numbers);
    }
    const float* from = numbers + (k - drawn_from) * width;
    for (std::int64_t i = 0; i < dims; ++i) epsilon[i] = static_cast<T>(from[i]);
    std::fill(epsilon + dims, epsilon + padded, T(0));
  }
  HWY_INLINE V z_at(std::int64_t i) const {
    const hn::ScalableTag<T> d;
    const V scaled = hn::Mul(constant<V>(g.noise_std), hn::Load(d, epsilon + i));
    return hn::MulAdd(scaled, factor_for(scaled, hn::Load(d, sigma + i)), hn::Load(d, mean + i));
  }
};

// Computes one draw: its z, and the tile's share of its log ratio.
template <class T>
HWY_INLINE double forward_draw(DrawTile<T>& tile, std::int64_t k) {
  const hn::ScalableTag<T> d;
  const PosteriorDrawsArgs& g = tile.g;
  Sum<T> ratio;
  tile.draw(k);
  tile.each([&](std::int64_t i) HWY_ATTR {
    const auto z = tile.z_at(i);
    hn::Store(z, d, tile.values + i);
    const auto share =
        log_ratio_of(hn::Load(d, tile.epsilon + i), z, hn::Load(d, tile.log_stddev + i), g.standard_normal);
    const std::int64_t inside = std::min(DrawTile<T>::kLanes, tile.dims - i);
    ratio.add(hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(inside)), share));
  });
  std::copy_n(tile.values, tile.dims, as<T>(g.z) + (tile.row * g.draws + k) * g.latent + tile.first);
  return ratio.total();
}

template <class T>
void posterior_draws_of(const PosteriorDrawsArgs& g) {
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    DrawTile<T> tile(g);
    for (std::int64_t row = begin; row < end; ++row) {
      T* ratios = as<T>(g.log_ratio) + row * g.draws;
      std::fill_n(ratios, g.draws, T(0));
      for (std::int64_t first = 0; first < g.latent; first += kDims) {
        tile.begin(row, first);
        for (std::int64_t k = 0; k < g.draws; ++k) ratios[k] += static_cast<T>(forward_draw(tile, k));
      }
    }
  };
  const std::int64_t per_row = g.draws * g.latent;
  parallel_chunks(Chunks::of_rows(g.rows, 8 * per_row), g.rows * per_row >= kDrawsGrain, rows);
}

// Adds the gradient of one draw to the tile's sums. `ratio` is the gradient with respect to -log q and, with
// N(0, I) as prior, log p(z). `factor` multiplies the gradient that arrives at z.
template <class T>
HWY_INLINE void backward_draw(const PosteriorDrawsBackwardArgs& b, DrawTile<T>& tile, std::int64_t k, T ratio,
                              T factor) {
  const hn::ScalableTag<T> d;
  const PosteriorDrawsArgs& g = tile.g;
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V ratios = hn::Set(d, ratio), factors = hn::Set(d, factor), noise_std = constant<V>(g.noise_std);
  const bool stopped = b.gradient != EncoderGradient::total;
  tile.draw(k);
  if (b.d_z)
    tile.load(as<T>(b.d_z), tile.row * g.draws + k, g.latent, 0, tile.values);
  else
    std::fill_n(tile.values, tile.padded, T(0));
  tile.each([&](std::int64_t i) HWY_ATTR {
    V d_z = hn::Mul(factors, hn::Load(d, tile.values + i));
    if (g.standard_normal) d_z = hn::NegMulAdd(ratios, tile.z_at(i), d_z);
    const auto slopes =
        draw_slopes(d_z, ratios, hn::Load(d, tile.epsilon + i), noise_std, hn::Load(d, tile.sigma + i),
                    hn::Load(d, tile.slope + i), hn::Load(d, tile.log_slope + i), stopped);
    hn::Store(hn::Add(hn::Load(d, tile.d_mean + i), slopes.mean), d, tile.d_mean + i);
    hn::Store(hn::Add(hn::Load(d, tile.d_s + i), slopes.s), d, tile.d_s + i);
  });
}

// Returns 1 / (sum of the gradients with respect to the log ratios of a row), or 0 if the sum is 0.
template <class T>
double inverse_of_total(const PosteriorDrawsBackwardArgs& b, std::int64_t row) {
  const std::int64_t draws = b.forward.draws;
  double total = 0;
  for (std::int64_t k = 0; k < draws; ++k) total += as<T>(b.d_log_ratio)[row * draws + k];
  return total == 0 ? 0 : 1 / total;
}

template <class T>
void backward_row(const PosteriorDrawsBackwardArgs& b, DrawTile<T>& tile, std::int64_t row) {
  const PosteriorDrawsArgs& g = b.forward;
  const bool weighted = b.gradient == EncoderGradient::doubly_reparameterized;
  const double inverse = weighted && b.d_log_ratio ? inverse_of_total<T>(b, row) : 0;
  T* out = as<T>(b.d_posterior_params) + row * 2 * g.latent;
  for (std::int64_t first = 0; first < g.latent; first += kDims) {
    tile.begin(row, first);
    std::fill_n(tile.d_mean, tile.padded, T(0));
    std::fill_n(tile.d_s, tile.padded, T(0));
    for (std::int64_t k = 0; k < g.draws; ++k) {
      const T given = b.d_log_ratio ? as<T>(b.d_log_ratio)[row * g.draws + k] : T(0);
      const T factor = weighted ? static_cast<T>(inverse * given) : T(1);
      backward_draw(b, tile, k, factor * given, factor);
    }
    std::copy_n(tile.d_mean, tile.dims, out + first);
    std::copy_n(tile.d_s, tile.dims, out + g.latent + first);
  }
}

template <class T>
void posterior_draws_backward_of(const PosteriorDrawsBackwardArgs& b) {
  const PosteriorDrawsArgs& g = b.forward;
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    DrawTile<T> tile(g);
    for (std::int64_t row = begin; row < end; ++row) backward_row(b, tile, row);
  };
  const std::int64_t per_row = g.draws * g.latent;
  parallel_chunks(Chunks::of_rows(g.rows, 8 * per_row), g.rows * per_row >= kDrawsGrain, rows);
}

void PosteriorDraws(const PosteriorDrawsArgs& g) {
  with_float(g.dtype, "posterior_draws", [&](auto type) { posterior_draws_of<decltype(type)>(g); });
}
void PosteriorDrawsBackward(const PosteriorDrawsBackwardArgs& b) {
  with_float(b.forward.dtype, "posterior_draws_backward",
             [&](auto type) { posterior_draws_backward_of<decltype(type)>(b); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(PosteriorDraws);
HWY_EXPORT(PosteriorDrawsBackward);
void CpuBackend::run(const PosteriorDrawsArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(PosteriorDraws)(g); }
void CpuBackend::run(const PosteriorDrawsBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(PosteriorDrawsBackward)(g);
}
}  // namespace gpuvae::kernels
#endif
