#include "gpuvae/types.h"

#include <cstddef>
#include <iterator>

#include "gpuvae/error.h"
#include "kernels/enumerators.h"
#include "kernels/math/elementwise.h"

namespace gpuvae {
namespace {

// Returns the name of an enumerator. Throws Error for a number that is none.
template <class E, std::size_t n>
std::string_view name_in(const std::string_view (&names)[n], const char* what, E value) {
  static_assert(n == kEnumerators<E>);
  check_enumerator("name", what, value);
  return names[static_cast<std::size_t>(value)];
}

}  // namespace

std::string_view name(DType t) {
  constexpr std::string_view names[] = {"f32", "f64", "bf16", "u8", "i32"};
  return name_in(names, "dtype", t);
}
std::string_view name(Axis axis) {
  constexpr std::string_view names[] = {"all", "rows", "columns"};
  return name_in(names, "axis", axis);
}
std::string_view name(Activation a) {
  check_enumerator("name", "activation", a);
  return kernels::name(kernels::unary_of(a));
}
std::span<const Activation> all_activations() {
#define GPUVAE_ENUMERATOR(name, Function) Activation::name,
  static constexpr Activation kAll[] = {GPUVAE_ACTIVATIONS(GPUVAE_ENUMERATOR)};
  static_assert(std::size(kAll) == kEnumerators<Activation>);
#undef GPUVAE_ENUMERATOR
  return kAll;
}
std::string_view name(Precision p) {
  constexpr std::string_view names[] = {"f32", "tf32", "bf16"};
  return name_in(names, "precision", p);
}
std::string_view name(PosteriorScale s) {
  constexpr std::string_view names[] = {"log_variance", "log_sigma", "softplus"};
  return name_in(names, "posterior scale", s);
}
std::string_view name(EncoderGradient g) {
  constexpr std::string_view names[] = {"total", "path", "doubly_reparameterized"};
  return name_in(names, "gradient of the encoder", g);
}
std::string_view name(ObjectiveKind k) {
  constexpr std::string_view names[] = {"elbo", "stl", "iwae", "iwae_stl", "dreg", "ciwae", "miwae", "piwae"};
  return name_in(names, "objective", k);
}
std::string_view name(Binarize b) {
  constexpr std::string_view names[] = {"none", "threshold", "fixed", "dynamic"};
  return name_in(names, "binarization", b);
}
std::string_view name(OptimizerKind k) {
  constexpr std::string_view names[] = {"sgd", "rmsprop", "rmsprop_tf1", "adagrad", "adam", "adamw"};
  return name_in(names, "optimiser", k);
}
std::string_view name(AverageForm f) {
  constexpr std::string_view names[] = {"warmup", "debiased", "first", "zero"};
  return name_in(names, "form of average", f);
}
std::string_view name(Executor e) {
  constexpr std::string_view names[] = {"auto", "eager", "graph", "fused"};
  return name_in(names, "executor", e);
}
std::string_view name(OnNan o) {
  constexpr std::string_view names[] = {"stop", "skip", "rewind"};
  return name_in(names, "on_nan", o);
}
std::string_view name(ErrorKind kind) {
  constexpr std::string_view names[] = {"invalid_argument", "unsupported", "out_of_memory", "io", "cuda",
                                        "not_finite"};
  return name_in(names, "kind of error", kind);
}

}  // namespace gpuvae
