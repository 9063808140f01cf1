// Layers and their parameters.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "gpuvae/ops.h"

namespace gpuvae {

// How the elements of a weight [out, in] are drawn.
enum class WeightInit : std::uint8_t {
  glorot_uniform,        // U(-a, a), a = sqrt(6 / (in + out)): Glorot and Bengio, 2010
  he_normal,             // N(0, 2 / in): He et al., 2015
  normal,                // N(0, std^2)
  two_over_root_fan_in,  // N(0, 1) * 2 / sqrt(in)
};
[[nodiscard]] std::string_view name(WeightInit i);

// Who draws the initial weights and biases of layers. With philox they are the same on every device.
enum class InitGenerator : std::uint8_t {
  philox,  // the library's own generator
  curand,  // NVIDIA's cuRAND; CUDA devices only
};
[[nodiscard]] std::string_view name(InitGenerator g);

struct Initializer {
  WeightInit weight = WeightInit::glorot_uniform;
  double weight_std = 0.01;  // of `normal`
  double bias_std = 0;       // biases are N(0, bias_std^2): zero by default
  std::uint64_t seed = 0;    // a parameter's numbers depend on seed and on its name
  InitGenerator generator = InitGenerator::philox;
};

// A named, trainable tensor of a module, by reference: an optimiser may move its elements.
struct Parameter {
  std::string name;  // "encoder.0.weight"
  Variable* variable;
  bool is_bias;
};

// activation(x weight^T + bias). `heads` equal groups of outputs are initialised as layers of their own.
class Linear {
 public:
  Linear() = default;
  Linear(const std::string& name, std::int64_t in, std::int64_t out, Activation activation,
         const Initializer& initializer, Device device, int heads = 1, Precision precision = Precision::f32);

  [[nodiscard]] Variable operator()(const Variable& x) const {
    return linear(x, weight, bias, activation, precision);
  }
  void collect(std::vector<Parameter>& into);

  Variable weight, bias;  // [out, in], [out]
  Activation activation = Activation::identity;
  Precision precision = Precision::f32;

 private:
  std::string name_;
};

// Dense layers of the given widths, one after another, all with one activation; none at all is the identity.
class Mlp {
 public:
  Mlp() = default;
  Mlp(const std::string& name, std::int64_t in, std::span<const std::int64_t> widths, Activation activation,
      const Initializer& initializer, Device device, Precision precision = Precision::f32);

  [[nodiscard]] Variable operator()(const Variable& x) const;
  [[nodiscard]] std::int64_t outputs() const { return outputs_; }
  void collect(std::vector<Parameter>& into);

  std::vector<Linear> layers;

 private:
  std::int64_t outputs_ = 0;
};

}  // namespace gpuvae
