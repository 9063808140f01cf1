// The explorer: a page that decodes the point of latent space under the pointer, in the browser, without a
// server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gpuvae/types.h"

namespace gpuvae::apps {

// A layer y = activation(weight x + bias) of the decoder, in host memory.
struct PageLayer {
  Activation activation = Activation::identity;
  std::int64_t in = 0, out = 0;
  std::vector<float> weight = {}, bias = {};  // [out, in], [out]
  // Applies the mean of a continuous Bernoulli to the outputs, which are logits, instead of the activation.
  bool continuous_bernoulli_mean = false;
};

// The slider of a latent dimension: z = value * scale, with value in [low, high]. The pad shows the same
// range.
struct Slider {
  std::string name = {};
  double low = -3, high = 3, step = 0.05, scale = 1;
};

struct ExplorerPage {
  std::string title = {}, subtitle = {};
  int height = 28, width = 28;          // of an image; height 1 means a row of a table, drawn as bars
  std::vector<PageLayer> decoder = {};  // the last layer gives the mean of p(x | z); pixels in [0, 1]
  std::vector<Slider> sliders = {};     // one per latent dimension
  std::vector<float> points = {};       // [n, latent], encoded data shown behind the pad; may be empty
  // Either a class or a quantity per point, or neither. More than ten classes are coloured as a quantity.
  std::vector<int> labels = {};
  std::vector<float> values = {};
  std::string colour_label = {};  // noun for labels or values: "digit"
  // With another prior, random draws choose an encoded point, and the circles of N(0, I) are not drawn.
  bool standard_normal_prior = true;
  std::vector<std::string> column_names = {};  // one per column of a table, or empty
};

// The most points in a page. Of more, the page gets every k-th.
inline constexpr std::int64_t kPagePoints = 10000;

// A complete page, which needs no server, network or other file. Throws Error if sizes do not match.
std::string explorer_html(const ExplorerPage& page);
// The same without title and subtitle, as a part of another page, which may hold one: style, markup and
// script. Its CSS names begin with gx, and it follows the color-scheme of the surrounding page.
std::string explorer_fragment(const ExplorerPage& page);

// Sliders z1, z2, ... with the common range [-a, a], which covers 99.5 % of the coordinates of `points` [n,
// latent]. a is a multiple of 0.5 and at least 3.
std::vector<Slider> sliders_around(const std::vector<float>& points, std::int64_t latent);

}  // namespace gpuvae::apps
