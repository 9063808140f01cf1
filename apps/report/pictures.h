// Images decoded and laid out: grids, sheets, samples.
#pragma once

#include "apps/cli/grid.h"
#include "gpuvae/data.h"
#include "gpuvae/vae.h"
#include "src/io/image.h"

namespace gpuvae::apps {

// A manifold grid, and the latent values of its columns from the left and rows from the top.
struct GridImage {
  io::Gray image;
  std::vector<double> columns, rows;
  bool z1_across = true;
};
// `codes`: the encoded data [n, latent], for a Grid of that kind; [-3, 3] without.
GridImage decode_grid(const Vae& model, const Grid& grid, const std::vector<float>& codes, int height,
                      int width);

struct CodeRange {
  double low = -3, high = 3;
};
// What a Grid of kind `data` covers of latent dimension `dimension`.
CodeRange code_range(const Grid& grid, const std::vector<float>& codes, std::int64_t latent,
                     std::int64_t dimension);

// Means of p(x | z) for z [count, latent], in batches: [count, pixels], on the host.
std::vector<float> decode_all(const Vae& model, const std::vector<float>& z);

// The first images of a set as the model sees them (scaled, binarized): [count, pixels], on the device.
Tensor first_images(const Dataset& images, std::int64_t count, const BatchOptions& options);

// The first images of a set side by side, 25 a row.
io::Gray examples(const Dataset& images, int count);
// Originals above the means of their reconstructions.
io::Gray reconstructions(const Vae& model, const Dataset& images, int count, const BatchOptions& options);
// Decoded draws from the prior, in wide rows.
io::Gray prior_samples(const Vae& model, int count, std::uint64_t seed, int height, int width);

}  // namespace gpuvae::apps
