#include "apps/common/pictures.h"

#include <algorithm>
#include <cmath>

namespace gpuvae::apps {

std::vector<float> decode_all(const Vae& model, const std::vector<float>& z) {
  const NoGradGuard no_grad;
  const std::int64_t latent = model.options().latent;
  const auto count = static_cast<std::int64_t>(z.size()) / latent;
  constexpr std::int64_t kRows = 1000;
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(count * model.options().pixels));
  for (std::int64_t first = 0; first < count; first += kRows) {
    const std::int64_t rows = std::min(kRows, count - first);
    const std::span<const float> part(z.data() + first * latent, static_cast<std::size_t>(rows * latent));
    const Tensor codes = Tensor::from(part, {rows, latent}, model.device());
    const std::vector<float> x = model.decode_mean(codes).value().to_vector();
    all.insert(all.end(), x.begin(), x.end());
  }
  return all;
}

GridImage decode_grid(const Vae& model, const Grid& grid, double least, double most, int height, int width) {
  const auto latent = static_cast<std::size_t>(model.options().latent);
  const auto n = static_cast<std::size_t>(grid.n);
  GridImage result{{}, grid.across(least, most), grid.down(least, most), grid.z1_across()};
  std::vector<float> z(n * n * latent, 0.0f);
  for (std::size_t i = 0; i < n * n; ++i) {
    const double across = result.columns[i % n], down = result.rows[i / n];
    z[i * latent] = static_cast<float>(result.z1_across ? across : down);
    if (latent > 1) z[i * latent + 1] = static_cast<float>(result.z1_across ? down : across);
  }
  result.image = io::image_grid(decode_all(model, z), grid.n * grid.n, width, height, grid.n);
  return result;
}

Tensor first_images(const ImageSet& images, std::int64_t count, const BatchOptions& options) {
  BatchOptions in_order = options;
  in_order.shuffle = false;
  const std::int64_t shown = std::min(count, images.count());
  return gather_batch(images.images, shown, {.step = 0, .steps_per_epoch = 1}, in_order).x;
}

io::Gray examples(const ImageSet& images, int count, int columns, int zoom) {
  const Tensor x = first_images(images, count, {});
  return io::image_grid(x.to_vector(), static_cast<int>(x.shape()[0]), images.width, images.height, columns,
                        {.zoom = zoom});
}

io::Gray reconstructions(const Vae& model, const ImageSet& images, int count, const BatchOptions& options) {
  const NoGradGuard no_grad;
  const Tensor x = first_images(images, count, options);
  constexpr int kColumns = 20, kZoom = 2;
  return io::reconstruction_sheet(x.to_vector(), model.reconstruct(x).value().to_vector(),
                                  static_cast<int>(x.shape()[0]), images.width, images.height, kColumns,
                                  kZoom);
}

io::Gray prior_samples(const Vae& model, int count, std::uint64_t seed, int height, int width) {
  const std::vector<float> images = model.sample_prior(count, seed).mean.to_vector();
  const int columns = static_cast<int>(std::ceil(std::sqrt(count)));
  return io::image_grid(images, count, width, height, columns, {.gap = 2, .background = 40, .zoom = 2});
}

}  // namespace gpuvae::apps
