// The explorer: a web page that decodes the point of latent space under the pointer. The decoder runs in the
// browser, without a server.
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
  // Whether the outputs are logits of a continuous Bernoulli; the page then shows its mean instead of the
  // activation.
  bool continuous_bernoulli_mean = false;
  // Whether the layer is gated (GatedLinear): weight [2 out, in], bias [2 out].
  bool gated = false;
};

// Neighbouring columns whose means follow from the decoder's outputs by one function: an activation, "exp",
// "gated_exp" (exp of the first outputs times 1 - sigmoid of the second ones), "softmax", or "value".
struct PageMean {
  std::string function = {};
  std::int64_t columns = 0, outputs = 0;
  double value = 0;  // of "value", which has no outputs
};

// The slider of a latent dimension: z = value * scale, with value in [low, high]. The pad, a plane of two
// latent dimensions, covers the same range.
struct Slider {
  std::string name = {};
  double low = -3, high = 3, step = 0.05, scale = 1;
};

// A column of the condition, with a slider in the units of the data. The first layer's bias gains weight *
// scale * (v - value), where v is the slider's position and `value` its first one.
struct PageCondition {
  std::string name = {};
  double low = 0, high = 1, value = 0, scale = 1;
  std::vector<float> weight = {};  // [first layer's outputs]
};

// The units of a table's column: the shown number is offset + scale * mean of p(x | z).
struct PageUnit {
  double scale = 1, offset = 0;
};

struct ExplorerPage {
  std::string title = {}, subtitle = {};
  // Size of an image. With height 1, the output is a row of a table and is drawn as bars.
  int height = 28, width = 28;
  std::vector<PageLayer> decoder = {};  // the last layer gives the mean of p(x | z); pixels in [0, 1]
  // How the mean follows from the outputs of the last layer, if these are not the mean.
  std::vector<PageMean> means = {};
  // The classes of a conditional model and, for each, the bias of the first layer, which includes the layer's
  // products with the class's code; or none.
  std::vector<std::string> class_names = {};
  std::vector<std::vector<float>> class_biases = {};
  std::vector<PageCondition> conditions = {};
  std::vector<Slider> sliders = {};  // one per latent dimension
  std::vector<float> points = {};    // [n, latent], encoded data drawn in the pad; may be empty
  // One class (`labels`) or one quantity (`values`) per point, or neither. If there are more than ten
  // classes, the points are coloured as by a quantity.
  std::vector<int> labels = {};
  std::vector<float> values = {};
  std::vector<std::string> label_names = {};  // of the labels 0, 1, ...; a label without a name is a number
  std::string colour_label = {};              // noun for labels or values: "digit"
  // Whether the prior is N(0, I). If it is not, the page picks a random encoded point instead of drawing from
  // N(0, I), and shows no circles of N(0, I).
  bool standard_normal_prior = true;
  std::vector<std::string> column_names = {};  // one per column of a table, or empty
  std::vector<PageUnit> units = {};            // one per column of a table; or none for the model's units
  std::string unit_note = {};                  // what the numbers and the bars of a table are
};

// The largest number of points in a page. If there are more, the page contains every k-th point.
inline constexpr std::int64_t kPagePoints = 10000;

// Returns a complete page, which needs no server, network or other file. Throws Error if the sizes in `page`
// do not match.
std::string explorer_html(const ExplorerPage& page);
// Returns the style, markup and script of the page without title and subtitle, to be embedded in another
// page. A page can embed only one explorer. Its CSS names begin with gx, and it follows the color-scheme of
// the surrounding page.
std::string explorer_fragment(const ExplorerPage& page);

// Returns sliders z1, z2, ... with the common range [-a, a], where a is the smallest multiple of 0.5, at
// least 3, such that the range covers 99.5 % of the coordinates of `points` [n, latent].
std::vector<Slider> sliders_around(const std::vector<float>& points, std::int64_t latent);

}  // namespace gpuvae::apps
