#include "apps/report/pictures.h"

#include <algorithm>
#include <cmath>

namespace gpuvae::apps {
namespace {

constexpr int kSheetWidth = 1180;  // pixels; the width of the report's column

struct Sheet {
  int columns, zoom;
};
// Up to 20 images per row; small images are drawn twice as large.
Sheet sheet_for(int width) {
  constexpr int kMax = 20, kGap = 2;
  const int zoom = std::clamp(kSheetWidth / (kMax * (width + kGap)), 1, 2);
  return {std::clamp(kSheetWidth / (zoom * width + kGap), 1, kMax), zoom};
}

// The pixels of rows [x, y].
Tensor pixels_of(const Tensor& x, const Dataset& images) {
  const std::int64_t pixels = std::int64_t{images.height} * images.width;
  return x.shape()[1] == pixels ? x : columns(x, 0, pixels).value();
}

}  // namespace

std::vector<float> decode_all(const Vae& model, const std::vector<float>& z, const Tensor& y) {
  const NoGradGuard no_grad;
  const std::int64_t latent = model.options().latent;
  const auto count = static_cast<std::int64_t>(z.size()) / latent;
  constexpr std::int64_t kRows = 1000;
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(count * model.options().features));
  for (std::int64_t first = 0; first < count; first += kRows) {
    const std::int64_t rows = std::min(kRows, count - first);
    const std::span<const float> part(z.data() + first * latent, static_cast<std::size_t>(rows * latent));
    const Tensor codes = Tensor::from(part, {rows, latent}, model.device());
    const Tensor condition = y && y.shape()[0] > 1 ? y.slice(first, rows) : y;
    const std::vector<float> x = model.decode_mean(codes, condition).value().to_vector();
    all.insert(all.end(), x.begin(), x.end());
  }
  return all;
}

CodeRange code_range(const Grid& grid, const std::vector<float>& codes, std::int64_t latent,
                     std::int64_t dimension) {
  std::vector<float> values;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (!grid.per_axis || static_cast<std::int64_t>(i) % latent == dimension) values.push_back(codes[i]);
  if (values.empty()) return {};
  const auto quantile = [&](double p) {
    const auto rank =
        static_cast<std::ptrdiff_t>(std::lround(p * static_cast<double>(std::ssize(values) - 1)));
    std::nth_element(values.begin(), values.begin() + rank, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(rank)]);
  };
  return {quantile(grid.per_axis ? grid.low : 0), quantile(grid.per_axis ? grid.high : 1)};
}

GridImage decode_grid(const Vae& model, const Grid& grid, const std::vector<float>& codes, int height,
                      int width, const Tensor& y_of_model) {
  const auto latent = static_cast<std::size_t>(model.options().latent);
  const auto n = static_cast<std::size_t>(grid.n);
  const std::int64_t second = latent > 1 ? 1 : 0;
  const bool z1_across = grid.z1_across();
  const CodeRange x = code_range(grid, codes, model.options().latent, z1_across ? 0 : second);
  const CodeRange y = code_range(grid, codes, model.options().latent, z1_across ? second : 0);
  GridImage result{{}, grid.across(x.low, x.high), grid.down(y.low, y.high), z1_across};
  std::vector<float> z(n * n * latent, 0.0f);
  for (std::size_t i = 0; i < n * n; ++i) {
    const double across = result.columns[i % n], down = result.rows[i / n];
    z[i * latent] = static_cast<float>(result.z1_across ? across : down);
    if (latent > 1) z[i * latent + 1] = static_cast<float>(result.z1_across ? down : across);
  }
  result.image = io::image_grid(decode_all(model, z, y_of_model), grid.n * grid.n, width, height, grid.n);
  return result;
}

Tensor first_images(const Dataset& images, std::int64_t count, const BatchOptions& options) {
  BatchOptions in_order = options;
  in_order.shuffle = false;
  const std::int64_t shown = std::min(count, images.count());
  return gather_batch(images, shown, {.step = 0, .steps_per_epoch = 1}, in_order).x;
}

io::Gray examples(const Dataset& images, int count) {
  constexpr int kColumns = 25;
  const Tensor x = pixels_of(first_images(images, count, {}), images);
  const int zoom = std::clamp(kSheetWidth / (kColumns * images.width), 1, 2);
  return io::image_grid(x.to_vector(), static_cast<int>(x.shape()[0]), images.width, images.height, kColumns,
                        {.zoom = zoom});
}

io::Gray reconstructions(const Vae& model, const Dataset& images, int count, const BatchOptions& options) {
  const NoGradGuard no_grad;
  const Tensor x = first_images(images, count, options);
  const Sheet sheet = sheet_for(images.width);
  return io::reconstruction_sheet(pixels_of(x, images).to_vector(), model.reconstruct(x).value().to_vector(),
                                  static_cast<int>(x.shape()[0]), images.width, images.height, sheet.columns,
                                  sheet.zoom);
}

io::Gray prior_samples(const Vae& model, int count, std::uint64_t seed, int height, int width,
                       const Tensor& y) {
  const std::vector<float> images = model.sample_prior(count, seed, y).mean.to_vector();
  const Sheet sheet = sheet_for(width);
  return io::image_grid(images, count, width, height, sheet.columns,
                        {.gap = 2, .background = 40, .zoom = sheet.zoom});
}

}  // namespace gpuvae::apps
