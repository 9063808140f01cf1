// Sampling from the diagonal Gaussian posterior and its KL divergence to the standard normal, forward and
// backward.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/random_blocks.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/posterior.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Elements per tile. A tile holds a part of a row or several complete rows, so that vectors are full even for
// few dimensions. The size is a multiple of Philox's block of four numbers.
constexpr std::int64_t kTile = 256;
// The number of latent values from which multithreading pays off. Each value may need a normal number, a
// softplus and a logarithm.
constexpr std::int64_t kGrain = 3000;

// Copies a block of a matrix. Its rows begin `from_step` elements apart, those of the copy `to_step`.
template <std::int64_t kColumns, class From, class To>
void copy_columns(std::int64_t rows, const From* from, std::int64_t from_step, To* to, std::int64_t to_step) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < kColumns; ++i)
      to[r * to_step + i] = static_cast<To>(from[r * from_step + i]);
}
// The same for any number of columns. For few columns, the vectorised loop over a row costs more than the
// copy.
template <class From, class To>
void copy_block(std::int64_t rows, std::int64_t columns, const From* from, std::int64_t from_step, To* to,
                std::int64_t to_step) {
  if (columns == 1) return copy_columns<1>(rows, from, from_step, to, to_step);
  if (columns == 2) return copy_columns<2>(rows, from, from_step, to, to_step);
  if (columns == 3) return copy_columns<3>(rows, from, from_step, to, to_step);
  if (columns == 4) return copy_columns<4>(rows, from, from_step, to, to_step);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < columns; ++i) to[r * to_step + i] = static_cast<To>(from[r * from_step + i]);
}

template <class T>
struct Tile {
  std::int64_t row, rows, first, dimensions;  // each row has dimensions first, ..., first + dimensions - 1
  HWY_ALIGN T mean[kTile], s[kTile], epsilon[kTile], d_z[kTile];

  std::int64_t size() const { return rows * dimensions; }

  // load() and store() copy the tile's elements from and to a matrix with `width` columns, whose column
  // `offset` holds dimension 0.
  void load(const T* matrix, std::int64_t width, std::int64_t offset, T* to) const {
    copy_block(rows, dimensions, matrix + row * width + offset + first, width, to, dimensions);
  }
  void store(const T* from, T* matrix, std::int64_t width, std::int64_t offset) const {
    copy_block(rows, dimensions, from, dimensions, matrix + row * width + offset + first, width);
  }

  void draw(const Noise& noise, std::int64_t latent) {
    float numbers[4 * kTile];  // with one latent dimension, each number needs a block of four
    const std::int64_t blocks_of_row = (latent + 3) / 4, blocks = (dimensions + 3) / 4;
    draw_blocks({noise, latent, row * blocks_of_row + first / 4, rows * blocks}, true, numbers);
    copy_block(rows, dimensions, numbers, 4 * blocks, epsilon, dimensions);
  }
  void load(const PosteriorArgs& g, bool sampled) {
    load(as<T>(g.posterior_params), 2 * g.latent, 0, mean);
    load(as<T>(g.posterior_params), 2 * g.latent, g.latent, s);
    if (!sampled) return;
    if (g.epsilon) return load(as<T>(g.epsilon), g.latent, 0, epsilon);
    if (g.noise_std != 0) return draw(g.noise, g.latent);
    std::fill_n(epsilon, size(), T(0));
  }
};

// Calls body(tile) for tiles that cover the rows begin, ..., end - 1.
template <class T, class Body>
void each_tile(const PosteriorArgs& g, std::int64_t begin, std::int64_t end, const Body& body) {
  Tile<T> tile;
  const std::int64_t together = std::max<std::int64_t>(1, kTile / std::max<std::int64_t>(1, g.latent));
  for (tile.row = begin; tile.row < end; tile.row += together) {
    tile.rows = std::min(together, end - tile.row);
    for (tile.first = 0; tile.first < g.latent; tile.first += kTile) {
      tile.dimensions = std::min(kTile, g.latent - tile.first);
      body(tile);
    }
  }
}

template <class T>
void posterior_of(const PosteriorArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V noise_std = constant<V>(g.noise_std);
  const auto chunk_kl = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    Sum<T> kl;
    each_tile<T>(g, begin, end, [&](Tile<T>& tile) HWY_ATTR {
      tile.load(g, g.z != nullptr);
      each_vector<T>(0, tile.size(), [&](auto access, std::int64_t i) HWY_ATTR {
        const V mean = access.load(tile.mean + i), s = access.load(tile.s + i);
        const V sigma = posterior_sigma(g.scale, s);
        if (g.kl)
          kl.add(access.keep(kl_standard_normal(mean, sigma, posterior_log_sigma(g.scale, s, sigma))));
        if (!g.z) return;
        const V epsilon = hn::Mul(noise_std, access.load(tile.epsilon + i));
        access.store(hn::MulAdd(epsilon, factor_for(epsilon, sigma), mean), tile.mean + i);
      });
      if (g.z) tile.store(tile.mean, as<T>(g.z), g.latent, 0);
    });
    return kl.total();
  };
  const bool worth = g.rows * g.latent >= kGrain;
  const double kl = parallel_sum(Chunks::of_rows(g.rows, 8 * g.latent), worth, chunk_kl);
  if (g.kl) *as<T>(g.kl) = g.kl_weight == 0 ? T(0) : static_cast<T>(g.kl_weight * kl);
}

template <class T>
void posterior_backward_of(const PosteriorBackwardArgs& b) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const PosteriorArgs& g = b.forward;
  const V noise_std = constant<V>(g.noise_std);
  // With weight 0 the KL divergence adds nothing, even if its slope is infinite.
  const T kl_weight = static_cast<T>(g.kl_weight * b.d_kl) * value_or<T>(b.device_d_kl, 1);
  const V kl_slope = hn::Set(hn::ScalableTag<T>(), kl_weight);
  const auto rows_backward = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    each_tile<T>(g, begin, end, [&](Tile<T>& tile) HWY_ATTR {
      tile.load(g, b.d_z != nullptr);
      if (b.d_z) tile.load(as<T>(b.d_z), g.latent, 0, tile.d_z);
      each_vector<T>(0, tile.size(), [&](auto access, std::int64_t i) HWY_ATTR {
        const V mean = access.load(tile.mean + i), s = access.load(tile.s + i);
        const V sigma = posterior_sigma(g.scale, s), slope = posterior_sigma_slope(g.scale, s, sigma);
        V d_mean = hn::Mul(kl_slope, mean), d_s = hn::Zero(hn::ScalableTag<T>());
        if (kl_weight != 0)
          d_s = hn::Mul(kl_slope,
                        kl_slope_in_s(sigma, slope, posterior_log_sigma_slope(g.scale, sigma, slope)));
        if (b.d_z) {
          const V d_z = access.load(tile.d_z + i);
          const V d_sigma = hn::Mul(d_z, hn::Mul(noise_std, access.load(tile.epsilon + i)));
          d_mean = hn::Add(d_mean, d_z);
          d_s = hn::MulAdd(d_sigma, factor_for(d_sigma, slope), d_s);
        }
        access.store(d_mean, tile.mean + i);
        access.store(d_s, tile.s + i);
      });
      tile.store(tile.mean, as<T>(b.d_posterior_params), 2 * g.latent, 0);
      tile.store(tile.s, as<T>(b.d_posterior_params), 2 * g.latent, g.latent);
    });
  };
  parallel_chunks(Chunks::of_rows(g.rows, 8 * g.latent), g.rows * g.latent >= kGrain, rows_backward);
}

void SamplePosterior(const PosteriorArgs& g) {
  with_float(g.dtype, "posterior", [&](auto type) { posterior_of<decltype(type)>(g); });
}
void SamplePosteriorBackward(const PosteriorBackwardArgs& g) {
  with_float(g.forward.dtype, "posterior_backward",
             [&](auto type) { posterior_backward_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(SamplePosterior);
HWY_EXPORT(SamplePosteriorBackward);
void CpuBackend::run(const PosteriorArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(SamplePosterior)(g); }
void CpuBackend::run(const PosteriorBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(SamplePosteriorBackward)(g);
}
}  // namespace gpuvae::kernels
#endif
