// A trained model on the host, as export_header() writes it.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/vae.h"
#include "kernels/math/elementwise.h"

namespace gpuvae {

// A dense layer, and the name of its arrays.
struct ExportedLayer {
  std::string name;
  std::int64_t inputs, outputs;
  kernels::Unary activation;
  std::vector<float> weight, bias;
};

struct ExportedModel {
  std::int64_t features, latent;
  // The hidden layers, and as the last layer the posterior's or the likelihood's parameters.
  std::vector<ExportedLayer> encoder, decoder;
  DiagonalGaussianOptions posterior;
  kernels::Unary mean;  // maps the first parameter of a feature to its mean
};

// Copies the weights to the host. Throws Error for weights that are not finite, and Error (unsupported) for
// distributions that are not built in. `operation` begins the messages.
ExportedModel exported_model(const Vae& model, const char* operation);

}  // namespace gpuvae
