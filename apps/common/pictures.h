// Images decoded and laid out: grids, sheets, samples.
#pragma once

#include "apps/common/grid.h"
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
// [least, most]: the range of the encoded data, for a Grid of that kind.
GridImage decode_grid(const Vae& model, const Grid& grid, double least, double most, int height, int width);

// Means of p(x | z) for z [count, latent], in batches: [count, pixels], on the host.
std::vector<float> decode_all(const Vae& model, const std::vector<float>& z);

// The first images of a set as the model sees them (scaled, binarized): [count, pixels], on the device.
Tensor first_images(const ImageSet& images, std::int64_t count, const BatchOptions& options);

// The first images of a set side by side.
io::Gray examples(const ImageSet& images, int count, int columns, int zoom = 1);
// Originals above the means of their reconstructions.
io::Gray reconstructions(const Vae& model, const ImageSet& images, int count, const BatchOptions& options);
// Decoded draws from the prior.
io::Gray prior_samples(const Vae& model, int count, std::uint64_t seed, int height, int width);

}  // namespace gpuvae::apps
