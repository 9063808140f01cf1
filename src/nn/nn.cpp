#include "gpuvae/nn.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"

namespace gpuvae {

template <>
inline constexpr unsigned kEnumerators<WeightInit> = 4;
template <>
inline constexpr unsigned kEnumerators<InitGenerator> = 2;

namespace {

// Returns the FNV-1a hash of a parameter's name, which serves as its position in the random sequence. A
// parameter's initial values then do not depend on the other parameters.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3ull;
  return h >> 8;  // the counter has 56 bits for the time
}

// Draws the initial values of one parameter.
class ParameterDraws {
 public:
  ParameterDraws(const std::string& name, const Initializer& init, Device device)
      : seed_(init.seed),
        place_(hash(name)),
        curand_(init.generator == InitGenerator::curand),
        device_(device) {
    check(!curand_ || !device.is_cpu(), "init",
          "expected a CUDA device for initial weights by cuRAND, got {}", device);
  }

  Tensor normal(Shape shape, double stddev) const {
    return curand_ ? curand_normal(shape, curand_seed(), 0, stddev, device_)
                   : random_normal(shape, noise(), 0, stddev, DType::f32, device_);
  }
  Tensor uniform(Shape shape, double low, double high) const {
    return curand_ ? curand_uniform(shape, curand_seed(), low, high, device_)
                   : random_uniform(shape, noise(), low, high, DType::f32, device_);
  }

 private:
  Noise noise() const {
    Noise noise{.seed = seed_, .purpose = RandomPurpose::initialization};
    noise.clock.step = place_;
    return noise;
  }
  // Returns one seed per parameter, because curand_normal() and curand_uniform() always start at position 0
  // of a seed.
  std::uint64_t curand_seed() const { return seed_ ^ place_ * 0x9E3779B97F4A7C15ull; }

  std::uint64_t seed_, place_;
  bool curand_;
  Device device_;
};

Tensor draw_weight(const std::string& name, Shape shape, const Initializer& init, Device device, int heads) {
  const double in = static_cast<double>(shape[1]), out = static_cast<double>(shape[0]) / heads;
  const ParameterDraws draws(name, init, device);
  switch (init.weight) {
    case WeightInit::he_normal:
      return draws.normal(shape, std::sqrt(2 / in));
    case WeightInit::normal:
      return draws.normal(shape, init.weight_std);
    case WeightInit::two_over_root_fan_in:
      return draws.normal(shape, 2 / std::sqrt(in));
    case WeightInit::glorot_uniform:
      break;
  }
  const double a = std::sqrt(6 / (in + out));
  return draws.uniform(shape, -a, a);
}

}  // namespace

std::string_view name(WeightInit i) {
  constexpr std::string_view names[] = {"glorot_uniform", "he_normal", "normal", "two_over_root_fan_in"};
  static_assert(std::size(names) == kEnumerators<WeightInit>);
  check_enumerator("name", "weight initialisation", i);
  return names[static_cast<std::size_t>(i)];
}

std::string_view name(InitGenerator g) {
  check_enumerator("name", "generator", g);
  return g == InitGenerator::philox ? "philox" : "curand";
}

Linear::Linear(const std::string& name, std::int64_t in, std::int64_t out, Activation activation_,
               const Initializer& init, Device device, int heads, Precision precision_)
    : activation(activation_), precision(precision_), name_(name) {
  check_enumerator("linear", "activation", activation);
  check_enumerator("linear", "precision", precision);
  check_enumerator("linear", "weight initialisation", init.weight);
  check_enumerator("linear", "generator", init.generator);
  check(device.backend().supports(precision), "linear", "expected a precision that {} supports, got {}",
        device.description(), gpuvae::name(precision));
  check(in > 0 && out > 0, "linear", "expected widths of 1 or more for {}, got {} to {}", name, in, out);
  check(heads > 0 && out % heads == 0, "linear",
        "expected a multiple of {} (heads) as the number of outputs of {}, got {}", heads, name, out);
  weight = Variable(draw_weight(name + ".weight", {out, in}, init, device, heads), true);
  Tensor b = init.bias_std == 0 ? Tensor::zeros({out}, DType::f32, device)
                                : ParameterDraws(name + ".bias", init, device).normal({out}, init.bias_std);
  bias = Variable(std::move(b), true);
}

void Linear::collect(std::vector<Parameter>& into) const {
  into.push_back({name_ + ".weight", weight, false});
  into.push_back({name_ + ".bias", bias, true});
}

Linear::Linear(const std::string& name, std::int64_t in, std::span<const std::int64_t> group_sizes,
               const Initializer& init, Device device, Precision precision_) {
  check(!group_sizes.empty(), "linear", "expected 1 or more groups of outputs for {}, got none", name);
  std::int64_t out = 0;
  for (const std::int64_t size : group_sizes) {
    check(size > 0, "linear", "expected groups of 1 or more outputs for {}, got {}", name, size);
    out += size;
  }
  const auto groups = static_cast<std::int64_t>(group_sizes.size());
  const bool equal = std::ranges::all_of(group_sizes, [&](std::int64_t n) { return n == group_sizes[0]; });
  *this = Linear(name, in, out, Activation::identity, init, device, equal ? static_cast<int>(groups) : 1,
                 precision_);
  // Only glorot_uniform depends on the number of outputs.
  if (equal || init.weight != WeightInit::glorot_uniform) return;
  std::int64_t first = 0;
  for (const std::int64_t size : group_sizes) {
    const double factor = std::sqrt(static_cast<double>(in + out) / static_cast<double>(in + size));
    const Tensor rows = weight.value().slice(first, size);
    rows.copy_from((Variable(rows) * factor).value());
    first += size;
  }
}

GatedLinear::GatedLinear(const std::string& name, std::int64_t in, std::int64_t out, const Initializer& init,
                         Device device, Precision precision)
    : both(name, in, 2 * out, Activation::identity, init, device, 2, precision) {}

Mlp::Mlp(const std::string& name, std::int64_t in, std::span<const std::int64_t> widths,
         Activation activation, const Initializer& init, Device device, Precision precision,
         bool gated_layers)
    : gated(gated_layers), outputs_(in) {
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string layer = name + "." + std::to_string(i);
    if (gated)
      layers.push_back(GatedLinear(layer, outputs_, widths[i], init, device, precision).both);
    else
      layers.emplace_back(layer, outputs_, widths[i], activation, init, device, 1, precision);
    outputs_ = widths[i];
  }
}

Variable Mlp::operator()(const Variable& x) const {
  Variable h = x;
  for (const Linear& layer : layers)
    h = gated ? gated_linear(h, layer.weight, layer.bias, layer.precision) : layer(h);
  return h;
}

void Mlp::collect(std::vector<Parameter>& into) const {
  for (const Linear& layer : layers) layer.collect(into);
}

}  // namespace gpuvae
