#include "apps/common/pictures.h"

#include <algorithm>
#include <cmath>

#include "src/io/image.h"

namespace gpuvae::apps {

double normal_quantile(double p) {
  // Newton's method on the distribution function, which is concave on the right half: p is mirrored there.
  if (p < 0.5) return -normal_quantile(1 - p);
  double x = 0;
  for (int i = 0; i < 60; ++i) {
    const double error = 0.5 * std::erfc(-x / std::sqrt(2.0)) - p;
    x -= error * std::sqrt(2 * M_PI) * std::exp(0.5 * x * x);
  }
  return x;
}

std::vector<float> quantiles(int n, double edge) {
  std::vector<float> z(static_cast<std::size_t>(n), 0.0f);
  for (int i = 0; n > 1 && i < n; ++i)
    z[i] = static_cast<float>(normal_quantile(edge + (1 - 2 * edge) * i / (n - 1)));
  return z;
}

void write_manifold(const Vae& model, int n, double edge, int height, int width,
                    const std::filesystem::path& path) {
  const NoGradGuard no_grad;
  const std::int64_t latent = model.options().latent, count = std::int64_t{n} * n;
  const std::vector<float> axis = quantiles(n, edge);
  std::vector<float> z(static_cast<std::size_t>(count * latent), 0.0f);
  for (std::int64_t i = 0; i < count; ++i) {
    z[i * latent] = axis[i % n];
    if (latent > 1) z[i * latent + 1] = axis[n - 1 - i / n];
  }
  const Tensor points = Tensor::from(z, {count, latent}, model.device());
  const std::vector<float> images = model.decode_mean(points).value().to_vector();
  io::write_png(path, io::image_grid(images, static_cast<int>(count), width, height, n));
}

void write_reconstructions(const Vae& model, const ImageSet& images, int count,
                           const std::filesystem::path& path) {
  const NoGradGuard no_grad;
  const std::int64_t shown = std::min<std::int64_t>(count, images.count());
  if (shown == 0) return;
  const Tensor x =
      gather_batch(images.images, shown, {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  const std::vector<float> originals = x.to_vector(), decoded = model.reconstruct(x).value().to_vector();
  constexpr int kColumns = 20, kZoom = 2;
  io::write_png(path, io::reconstruction_sheet(originals, decoded, static_cast<int>(shown), images.width,
                                               images.height, kColumns, kZoom));
}

void write_samples(const Vae& model, int count, std::uint64_t seed, int height, int width,
                   const std::filesystem::path& path) {
  const NoGradGuard no_grad;
  const Noise noise{.seed = seed, .purpose = RandomPurpose::prior};
  const Tensor z = random_normal({count, model.options().latent}, noise, 0, 1, DType::f32, model.device());
  const std::vector<float> images = model.decode_mean(z).value().to_vector();
  const int columns = static_cast<int>(std::ceil(std::sqrt(count)));
  io::write_png(
      path, io::image_grid(images, count, width, height, columns, {.gap = 2, .background = 40, .zoom = 2}));
}

}  // namespace gpuvae::apps
