// Layers and their parameters.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "gpuvae/ops.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// How the elements of a weight [out, in] are drawn.
enum class WeightInit : std::uint8_t {
  glorot_uniform,        // U(-a, a), a = sqrt(6 / (in + out)): Glorot and Bengio, 2010
  he_normal,             // N(0, 2 / in): He et al., 2015
  normal,                // N(0, std^2)
  two_over_root_fan_in,  // N(0, 1) * 2 / sqrt(in)
};
// Returns the name: "glorot_uniform", ...
[[nodiscard]] std::string_view name(WeightInit i);

// The generator of the initial weights and biases. With philox, they are the same on every device.
enum class InitGenerator : std::uint8_t {
  philox,  // the library's generator
  curand,  // NVIDIA's cuRAND; CUDA devices only
};
// Returns the name: "philox" or "curand".
[[nodiscard]] std::string_view name(InitGenerator g);

// How the parameters of layers are initialised.
struct Initializer {
  WeightInit weight = WeightInit::glorot_uniform;  // distribution of the weights

  double weight_std = 0.01;                         // standard deviation of WeightInit::normal
  double bias_std = 0;                              // standard deviation of the biases; 0: all are zero
  std::uint64_t seed = 0;                           // values depend only on it and the parameter's name
  InitGenerator generator = InitGenerator::philox;  // source of the random numbers
};

// A named, trainable variable of a module. The module and the optimiser share the leaf, so a parameter stays
// valid when the module is moved, copied or destroyed.
struct Parameter {
  std::string name;      // such as "encoder.0.weight"; unique in a model
  Variable variable;     // an f32 leaf
  bool is_bias = false;  // optimisers exclude biases from weight decay by default
};

// A dense layer, activation(x weight^T + bias), which maps x [rows, in] to [rows, out]. Copies share the
// parameters. Calls from several threads are safe while no optimiser updates or moves the parameters.
class Linear {
 public:
  Linear() = default;
  // Draws the initial parameters. The outputs form `heads` groups of equal size, each of which is initialised
  // like a separate layer. Throws Error for widths below 1, if `heads` does not divide `out`, and if the
  // device lacks the precision.
  Linear(const std::string& name, std::int64_t in, std::int64_t out, Activation activation,
         const Initializer& initializer, Device device, int heads = 1, Precision precision = Precision::f32);
  // The same for groups of the given sizes, without activation. Throws Error if there is no group.
  Linear(const std::string& name, std::int64_t in, std::span<const std::int64_t> group_sizes,
         const Initializer& initializer, Device device, Precision precision = Precision::f32);
  // Returns the output [rows, out] for x [rows, in]. The errors are those of linear().
  [[nodiscard]] Variable operator()(const Variable& x) const {
    return linear(x, weight, bias, activation, precision);
  }
  // Appends the parameters NAME.weight and NAME.bias.
  void collect(std::vector<Parameter>& into) const;

  Variable weight;                               // [out, in]
  Variable bias;                                 // [out]
  Activation activation = Activation::identity;  // applied to x weight^T + bias
  Precision precision = Precision::f32;          // precision of the matrix products

 private:
  std::string name_;
};

// A gated dense layer, (x W1^T + b1) * sigmoid(x W2^T + b2), which maps x [rows, in] to [rows, out].
// Introduced by Dauphin et al., "Language modeling with gated convolutional networks", 2017, and used for
// VAEs by Tomczak and Welling, "VAE with a VampPrior", 2018, with WeightInit::he_normal. Copies share the
// parameters, as in Linear.
class GatedLinear {
 public:
  GatedLinear() = default;
  // Draws the initial parameters of W1 and W2 like those of two layers. The errors are those of Linear.
  GatedLinear(const std::string& name, std::int64_t in, std::int64_t out, const Initializer& initializer,
              Device device, Precision precision = Precision::f32);
  // Returns the output [rows, out] for x [rows, in]. The errors are those of gated_linear().
  [[nodiscard]] Variable operator()(const Variable& x) const {
    return gated_linear(x, both.weight, both.bias, both.precision);
  }
  // Appends the parameters NAME.weight and NAME.bias.
  void collect(std::vector<Parameter>& into) const { both.collect(into); }

  Linear both;  // weight [2 out, in], W1 above W2, and bias [2 out]; without activation
};

// A multilayer perceptron: a sequence of dense layers that share one activation function, or of gated dense
// layers. It maps x [rows, in] to [rows, outputs()]. Without layers, it is the identity. Copies share the
// parameters, as in Linear.
class Mlp {
 public:
  Mlp() = default;
  // Creates the layers NAME.0, NAME.1, ... If `gated_layers` is true, they are gated, and `activation` is not
  // used. The errors are those of Linear.
  Mlp(const std::string& name, std::int64_t in, std::span<const std::int64_t> widths, Activation activation,
      const Initializer& initializer, Device device, Precision precision = Precision::f32,
      bool gated_layers = false);
  // Returns the output [rows, outputs()] for x [rows, in].
  [[nodiscard]] Variable operator()(const Variable& x) const;
  // The width of the last layer, or `in` if there are no layers.
  [[nodiscard]] std::int64_t outputs() const { return outputs_; }
  // Appends the parameters of all layers in order.
  void collect(std::vector<Parameter>& into) const;

  // In the order of evaluation. A gated layer has the parameters of GatedLinear::both.
  std::vector<Linear> layers;
  bool gated = false;  // whether the layers are gated

 private:
  std::int64_t outputs_ = 0;
};

}  // namespace gpuvae
#pragma GCC visibility pop
