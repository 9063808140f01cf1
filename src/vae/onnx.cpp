#include "gpuvae/onnx.h"

#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "src/distributions/built_in.h"
#include "src/io/onnx_graph.h"

namespace gpuvae {
namespace {

using io::OnnxGraph;

// Adds an activation of the library as operations of ONNX. Operator set 17 has no GELU and no SiLU.
std::string add_activation(OnnxGraph& graph, Activation activation, const std::string& x) {
  switch (activation) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return graph.add("Relu", {x});
    case Activation::leaky_relu:
      return graph.add("LeakyRelu", {x}, {{"alpha", kLeakySlope}});
    case Activation::sigmoid:
      return graph.add("Sigmoid", {x});
    case Activation::tanh:
      return graph.add("Tanh", {x});
    case Activation::softplus:
      return graph.add("Softplus", {x});
    case Activation::gelu: {
      const std::string scaled = graph.add("Mul", {x, graph.add_number(std::numbers::sqrt2_v<float> / 2)});
      const std::string cdf2 = graph.add("Add", {graph.add("Erf", {scaled}), graph.add_number(1)});
      return graph.add("Mul", {graph.add("Mul", {x, graph.add_number(0.5f)}), cdf2});
    }
    case Activation::silu:
      break;
  }
  return graph.add("Mul", {x, graph.add("Sigmoid", {x})});
}

std::string add_parameter(OnnxGraph& graph, const std::string& name, const Variable& parameter) {
  const std::vector<float> values = parameter.value().to_vector();
  for (const float value : values)
    check(std::isfinite(value), {"export_onnx", ErrorKind::not_finite},
          "expected finite parameters, got {} in {}", value, name);
  return graph.add_constant(name, parameter.shape().extents(), values);
}

// Adds the layer with its activation. The output has the name `output`, or a new one.
std::string add_layer(OnnxGraph& graph, const std::string& name, const Linear& layer, const std::string& x,
                      const std::string& output = "") {
  const std::string weight = add_parameter(graph, name + ".weight", layer.weight);
  const std::string bias = add_parameter(graph, name + ".bias", layer.bias);
  const std::string y = graph.add("Gemm", {x, weight, bias}, {{"transB", std::int64_t{1}}}, output);
  return add_activation(graph, layer.activation, y);
}

std::string add_mlp(OnnxGraph& graph, const std::string& name, const Mlp& mlp, std::string x) {
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    x = add_layer(graph, fmt::format("{}.{}", name, i), mlp.layers[i], x);
    if (!mlp.gated) continue;
    const auto [value, gate] = graph.add_split(x);
    x = graph.add("Mul", {value, graph.add("Sigmoid", {gate})});
  }
  return x;
}

// Adds the standard deviation of the draws from the scale parameters s.
void add_stddev(OnnxGraph& graph, const DiagonalGaussianOptions& options, const std::string& s) {
  std::string sigma;
  switch (options.scale) {
    case PosteriorScale::log_variance:
      sigma = graph.add("Exp", {graph.add("Mul", {s, graph.add_number(0.5f)})});
      break;
    case PosteriorScale::log_sigma:
      sigma = graph.add("Exp", {s});
      break;
    case PosteriorScale::softplus:
      sigma = graph.add("Add", {graph.add("Softplus", {s}), graph.add_number(1e-6f)});
      break;
  }
  graph.add("Mul", {sigma, graph.add_number(static_cast<float>(options.noise_std))}, {}, "stddev");
}

// Adds the mean of the continuous Bernoulli distribution, 1 / (1 - exp(-l)) - 1 / l. Near l = 0, where the
// difference loses digits, a power series replaces it (kernels/math/continuous_bernoulli.h).
std::string add_continuous_bernoulli_mean(OnnxGraph& graph, const std::string& l) {
  const std::string one = graph.add_number(1), square = graph.add("Mul", {l, l});
  std::string series = graph.add_number(1.f / 47900160);
  for (const float c : {-1.f / 1209600, 1.f / 30240, -1.f / 720, 1.f / 12})
    series = graph.add("Add", {graph.add("Mul", {series, square}), graph.add_number(c)});
  series = graph.add("Add", {graph.add("Mul", {series, l}), graph.add_number(0.5f)});
  const std::string e = graph.add("Exp", {graph.add("Neg", {l})});
  const std::string far =
      graph.add("Sub", {graph.add("Div", {one, graph.add("Sub", {one, e})}), graph.add("Div", {one, l})});
  const std::string near_zero = graph.add("Less", {graph.add("Abs", {l}), one});
  return graph.add("Where", {near_zero, series, far});
}

// Adds E[x | z]. Every likelihood of the library has its location in the first columns of the parameters.
void add_mean(OnnxGraph& graph, const Likelihood& likelihood, const std::string& params) {
  const kernels::Unary function = *mean_function(likelihood);
  std::string mean = likelihood.params_per_feature() == 2 ? graph.add_split(params).first : params;
  if (function == kernels::Unary::sigmoid) mean = graph.add("Sigmoid", {mean});
  if (function == kernels::Unary::continuous_bernoulli_mean)
    mean = add_continuous_bernoulli_mean(graph, mean);
  graph.add("Identity", {mean}, {}, "mean");
}

std::string meaning_of_x(const char* what, const OnnxOptions& options) {
  return options.x_description.empty() ? what : fmt::format("{}: {}", what, options.x_description);
}

void check_unconditional(const Vae& model) {
  check(model.options().conditions == 0, unsupported("export_onnx"),
        "expected a model without a condition, got one with {} columns", model.options().conditions);
}

}  // namespace

void export_onnx_encoder(const Vae& model, const std::filesystem::path& path, const OnnxOptions& options) {
  const DiagonalGaussianOptions* gaussian = diagonal_gaussian_options(model.posterior());
  check(gaussian != nullptr, unsupported("export_onnx"), "expected a diagonal Gaussian posterior, got {}",
        model.posterior().name());
  check(!model.options().missing_values && !model.options().log1p_counts, unsupported("export_onnx"),
        "expected a model of complete data that are not counts, got one {}",
        model.options().missing_values ? "with missing values" : "of counts as log(1 + x)");
  check_unconditional(model);
  const std::int64_t latent = model.options().latent;
  OnnxGraph graph("encoder");
  graph.add_input("x", model.options().features, meaning_of_x("examples", options));
  graph.add_input("epsilon", latent, "standard normal numbers; with zeros, z is the mean");
  graph.add_output("posterior_params", 2 * latent,
                   fmt::format("parameters of q(z | x): means, then {}", name(gaussian->scale)));
  graph.add_output("mean", latent, "mean of q(z | x)");
  graph.add_output("stddev", latent, "standard deviation of z");
  graph.add_output("z", latent, "mean + epsilon * stddev");
  const std::string hidden = add_mlp(graph, "encoder", model.encoder(), "x");
  add_layer(graph, "posterior", model.posterior_head(), hidden, "posterior_params");
  const auto [mean, scale] = graph.add_split("posterior_params");
  graph.add("Identity", {mean}, {}, "mean");
  add_stddev(graph, *gaussian, scale);
  graph.add("Add", {mean, graph.add("Mul", {"epsilon", "stddev"})}, {}, "z");
  graph.write(path, options.metadata);
}

void export_onnx_decoder(const Vae& model, const std::filesystem::path& path, const OnnxOptions& options) {
  const Likelihood& likelihood = model.likelihood();
  check(mean_function(likelihood).has_value(), unsupported("export_onnx"),
        "expected a Bernoulli, continuous Bernoulli, Gaussian, Laplace or logistic likelihood, got {}",
        likelihood.name());
  check_unconditional(model);
  const std::int64_t features = model.options().features;
  OnnxGraph graph("decoder");
  graph.add_input("z", model.options().latent, "latent codes");
  graph.add_output("params", likelihood.params_per_feature() * features,
                   fmt::format("parameters of p(x | z): {}", likelihood.name()));
  graph.add_output("mean", features, meaning_of_x("mean of p(x | z)", options));
  const std::string hidden = add_mlp(graph, "decoder", model.decoder(), "z");
  add_layer(graph, "output", model.output(), hidden, "params");
  add_mean(graph, likelihood, "params");
  graph.write(path, options.metadata);
}

}  // namespace gpuvae
