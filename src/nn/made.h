// A masked autoregressive network with one hidden layer (Germain et al., "MADE: masked autoencoder for
// distribution estimation", 2015): column i of each of its outputs depends only on the columns of z before i,
// in the given order of the columns.
#pragma once

#include "gpuvae/nn.h"

namespace gpuvae {

// Maps z [rows, latent] and a context [rows, hidden], which is added to the hidden units before their ReLU
// and is not masked, to m and s of a step of an inverse autoregressive flow, [rows, 2 latent].
class Made {
 public:
  Made() = default;
  // Draws the initial parameters. In reversed order, column 0 is the last one.
  Made(const std::string& name, std::int64_t latent, std::int64_t hidden, bool reversed,
       const Initializer& initializer, Device device);
  // Uses the given parameters: input [hidden, latent], output [2 latent, hidden], bias [2 latent].
  Made(Variable input, Variable output, Variable bias, bool reversed);
  [[nodiscard]] Variable operator()(const Variable& z, const Variable& context) const;
  // Appends NAME.input.weight, NAME.output.weight and NAME.output.bias.
  void collect(std::vector<Parameter>& into) const;

 private:
  void set_masks(bool reversed);

  std::string name_;
  Variable input_, output_, bias_;
  Tensor input_mask_, output_mask_;
};

}  // namespace gpuvae
