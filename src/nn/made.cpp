#include "src/nn/made.h"

#include "kernels/check.h"

namespace gpuvae {
namespace {

// The degree of a column of z, from 1 to `latent`: its position in the order.
std::int64_t column_degree(std::int64_t column, std::int64_t latent, bool reversed) {
  return reversed ? latent - column : column + 1;
}
// The degree of a hidden unit, from 1 to latent - 1: it depends on the columns up to this degree, and columns
// of higher degrees depend on it. With one column, it depends on the context only.
std::int64_t hidden_degree(std::int64_t unit, std::int64_t latent) {
  return latent == 1 ? 0 : 1 + unit % (latent - 1);
}

Tensor mask_like(const Variable& weight, const std::vector<double>& mask) {
  return Tensor::from(mask, weight.shape()).to(weight.dtype()).to(weight.device());
}

}  // namespace

Made::Made(const std::string& name, std::int64_t latent, std::int64_t hidden, bool reversed,
           const Initializer& initializer, Device device)
    : name_(name) {
  check(latent > 0 && hidden > 0, "made", "expected 1 or more columns and hidden units, got {} and {}",
        latent, hidden);
  // The context has a bias already.
  input_ = Linear(name + ".input", latent, hidden, Activation::identity, initializer, device).weight;
  const Linear output(name + ".output", hidden, 2 * latent, Activation::identity, initializer, device, 2);
  output_ = output.weight;
  bias_ = output.bias;
  set_masks(reversed);
}

Made::Made(Variable input, Variable output, Variable bias, bool reversed)
    : name_("made"), input_(std::move(input)), output_(std::move(output)), bias_(std::move(bias)) {
  set_masks(reversed);
}

void Made::set_masks(bool reversed) {
  const std::int64_t hidden = input_.shape()[0], latent = input_.shape()[1];
  std::vector<double> of_input, of_output;
  for (std::int64_t unit = 0; unit < hidden; ++unit)
    for (std::int64_t column = 0; column < latent; ++column)
      of_input.push_back(hidden_degree(unit, latent) >= column_degree(column, latent, reversed) ? 1 : 0);
  for (std::int64_t row = 0; row < 2 * latent; ++row)
    for (std::int64_t unit = 0; unit < hidden; ++unit)
      of_output.push_back(column_degree(row % latent, latent, reversed) > hidden_degree(unit, latent) ? 1
                                                                                                      : 0);
  input_mask_ = mask_like(input_, of_input);
  output_mask_ = mask_like(output_, of_output);
}

Variable Made::operator()(const Variable& z, const Variable& context) const {
  check(static_cast<bool>(input_), "made", "expected a network with parameters, got none");
  const Variable hidden = activate(linear(z, input_ * input_mask_, {}) + context, Activation::relu);
  return linear(hidden, output_ * output_mask_, bias_);
}

void Made::collect(std::vector<Parameter>& into) const {
  into.push_back({name_ + ".input.weight", input_, false});
  into.push_back({name_ + ".output.weight", output_, false});
  into.push_back({name_ + ".output.bias", bias_, true});
}

}  // namespace gpuvae
