#include "src/vae/exported_model.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "src/distributions/built_in.h"

namespace gpuvae {
namespace {

ExportedLayer exported_layer(const Linear& layer, const std::string& name, const char* operation) {
  const Shape shape = layer.weight.shape();
  ExportedLayer result{name,
                       shape[1],
                       shape[0],
                       kernels::unary_of(layer.activation),
                       layer.weight.value().to_vector(),
                       layer.bias.value().to_vector()};
  for (const std::vector<float>* values : {&result.weight, &result.bias})
    check(std::ranges::all_of(*values, [](float v) { return std::isfinite(v); }), operation,
          "expected finite weights in the layer {}, got infinity or NaN", name);
  return result;
}

std::vector<ExportedLayer> exported_layers(const Mlp& hidden, const std::string& name, const Linear& last,
                                           const std::string& last_name, const char* operation) {
  std::vector<ExportedLayer> layers;
  for (const Linear& layer : hidden.layers)
    layers.push_back(exported_layer(layer, fmt::format("{}_{}", name, layers.size()), operation));
  layers.push_back(exported_layer(last, last_name, operation));
  return layers;
}

}  // namespace

ExportedModel exported_model(const Vae& model, const char* operation) {
  const DiagonalGaussianOptions* posterior = diagonal_gaussian_options(model.posterior());
  check(posterior != nullptr, unsupported(operation), "expected a diagonal Gaussian posterior, got {}",
        model.posterior().name());
  check(!model.options().missing_values && !model.options().log1p_counts, unsupported(operation),
        "expected a model of complete data that are not counts, got one {}",
        model.options().missing_values ? "with missing values" : "of counts as log(1 + x)");
  check(model.options().conditions == 0, unsupported(operation),
        "expected a model without a condition, got one with {} columns", model.options().conditions);
  check(!model.options().gated, unsupported(operation),
        "expected hidden layers with an activation, got gated ones");
  const std::optional<kernels::Unary> mean = mean_function(model.likelihood());
  check(mean.has_value(), unsupported(operation),
        "expected a Bernoulli, continuous Bernoulli, Gaussian, Laplace or logistic likelihood, got {}",
        model.likelihood().name());
  return {model.options().features,
          model.options().latent,
          exported_layers(model.encoder(), "encoder", model.posterior_head(), "posterior", operation),
          exported_layers(model.decoder(), "decoder", model.output(), "output", operation),
          *posterior,
          *mean};
}

}  // namespace gpuvae
