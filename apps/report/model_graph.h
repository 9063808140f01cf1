// The picture of a model: its layers in the order in which data pass them, and the terms of the loss.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gpuvae/vae.h"

namespace gpuvae::apps {

struct GraphLayer {
  std::string name, detail;     // "encoder.0", "dense 784 → 256, relu"
  std::int64_t parameters = 0;  // 0: none are shown
};

struct ModelGraph {
  std::string title;
  GraphLayer input;                 // x
  GraphLayer condition;             // y, an input of both networks; without a name if there is none
  std::vector<GraphLayer> encoder;  // hidden layers, from x on
  GraphLayer mean, scale;           // of q(z | x)
  GraphLayer latent, noise;         // z = mean + sigma epsilon, and epsilon
  std::vector<GraphLayer> decoder;  // hidden layers, from z on
  GraphLayer output;                // the parameters of p(x | z)
  GraphLayer likelihood;            // p(x | z)
  GraphLayer reconstruction, kl;    // the terms of the loss
  std::string loss;                 // the sum of the terms, as text
};

// The parts of the picture that VaeOptions does not hold: the posterior's settings and the loss.
struct GraphNotes {
  double beta = 1;
  PosteriorScale scale = PosteriorScale::log_variance;
  double noise_std = 1;
  bool pixel_mean = false;
  double free_bits = 0;
  std::string decoder_outputs = "logits";  // what the decoder computes for each feature
  Objective objective = {};
  std::string condition = {};  // what y is: "label" or names of columns

  // Whether the loss is the negative evidence lower bound.
  bool is_elbo() const {
    return beta == 1 && noise_std == 1 && !pixel_mean && free_bits == 0 &&
           !objective.is_importance_weighted();
  }
};
ModelGraph model_graph(const VaeOptions& options, int height, int width, const GraphNotes& notes = {});

std::int64_t parameter_count(const ModelGraph& graph);

// Data flow from x down the left side, through z at the bottom, and up the right side to p(x | z). The loss
// is drawn in the middle.
std::string model_graph_svg(const ModelGraph& graph);

}  // namespace gpuvae::apps
