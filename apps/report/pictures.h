// Sheets of decoded images: manifold grids, reconstructions, samples.
#pragma once

#include "apps/cli/grid.h"
#include "gpuvae/data.h"
#include "gpuvae/vae.h"
#include "src/io/image.h"

namespace gpuvae::apps {

// A decoded grid, with the latent values of its columns from left to right and of its rows from top to
// bottom.
struct GridImage {
  io::Gray image;
  std::vector<double> columns, rows;
  bool z1_across = true;
};
// `codes` is the encoded data, [n, latent], which gives a Grid of kind `data` its range; without codes it is
// [-3, 3].
GridImage decode_grid(const Vae& model, const Grid& grid, const std::vector<float>& codes, int height,
                      int width, const Tensor& y = {});

struct CodeRange {
  double low = -3, high = 3;
};
// The range that a Grid of kind `data` covers in latent dimension `dimension`.
CodeRange code_range(const Grid& grid, const std::vector<float>& codes, std::int64_t latent,
                     std::int64_t dimension);

// Means of p(x | z) for z [count, latent]: [count, pixels], on the host. Decodes in batches. `y` is the
// condition of a conditional model, [1 or count, conditions].
std::vector<float> decode_all(const Vae& model, const std::vector<float>& z, const Tensor& y = {});

// The first images of a set as the model gets them (scaled, binarised): [count, pixels], followed by the
// columns of a condition, on the device.
Tensor first_images(const Dataset& images, std::int64_t count, const BatchOptions& options);

// The first images of a set, 25 per row.
io::Gray examples(const Dataset& images, int count);
// Each original above its reconstruction.
io::Gray reconstructions(const Vae& model, const Dataset& images, int count, const BatchOptions& options);
// Decoded draws from the prior; `y` is as in decode_all().
io::Gray prior_samples(const Vae& model, int count, std::uint64_t seed, int height, int width,
                       const Tensor& y = {});

}  // namespace gpuvae::apps
