// The pictures of a run folder.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "gpuvae/data.h"
#include "gpuvae/vae.h"

namespace gpuvae::apps {

// Inverse of the standard normal's distribution function, for p in (0, 1).
double normal_quantile(double p);

// `n` values spaced evenly in probability, from the quantile of `edge` to that of 1 - edge.
std::vector<float> quantiles(int n, double edge);

// n x n decoded images: z1 grows to the right, z2 upwards; further dimensions are 0.
void write_manifold(const Vae& model, int n, double edge, int height, int width,
                    const std::filesystem::path& path);
// Originals above their reconstructions, from the posterior's mean.
void write_reconstructions(const Vae& model, const ImageSet& images, int count,
                           const std::filesystem::path& path);
// Decoded draws from the prior.
void write_samples(const Vae& model, int count, std::uint64_t seed, int height, int width,
                   const std::filesystem::path& path);

}  // namespace gpuvae::apps
