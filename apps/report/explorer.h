// The live explorer: a page that decodes wherever the pointer goes in latent space, by itself, in a browser.
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
  bool continuous_bernoulli_mean = false;     // of the outputs, as logits, instead of the activation
};

// A latent dimension: z = value * scale, the value in [low, high]. The pad shows the same range.
struct Slider {
  std::string name = {};
  double low = -3, high = 3, step = 0.05, scale = 1;
};

struct ExplorerPage {
  std::string title = {}, subtitle = {};
  int height = 28, width = 28;                 // of an image; height 1: a table's row, drawn as bars
  std::vector<PageLayer> decoder = {};         // the last one gives the mean of p(x | z); pixels in [0, 1]
  std::vector<Slider> sliders = {};            // one a latent dimension
  std::vector<float> points = {};              // [n, latent], encoded data behind the pad; may be empty
  std::vector<int> labels = {};                // one a point, or none; more than ten kinds read as a quantity
  std::vector<float> values = {};              // a quantity a point, or none; not beside labels
  std::string colour_label = {};               // what labels or values are: "digit"
  bool standard_normal_prior = true;           // else random draws take an encoded point, and no circles show
  std::vector<std::string> column_names = {};  // of a table: one a column, or none
};

// Of more points, every k-th goes into the page.
inline constexpr std::int64_t kPagePoints = 10000;

// A whole page: no server, no network, nothing beside the file. Throws Error where sizes do not fit.
std::string explorer_html(const ExplorerPage& page);
// The same without title and subtitle as a part of another page, one a page: style, markup and script. All
// its CSS names begin with gx; it follows the color-scheme of the page around it.
std::string explorer_fragment(const ExplorerPage& page);

// Sliders z1, z2, ... with one range for all, [-a, a]: a is 3 or more, a multiple of 0.5, and holds all but
// one in two hundred of the points' coordinates. `points` is [n, latent].
std::vector<Slider> sliders_around(const std::vector<float>& points, std::int64_t latent);

}  // namespace gpuvae::apps
