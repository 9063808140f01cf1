#include "gpuvae/types.h"

#include "gpuvae/error.h"
#include "kernels/math/elementwise.h"

namespace gpuvae {

std::string_view name(DType t) {
  constexpr std::string_view names[] = {"f32", "f64", "bf16", "u8", "i32"};
  return names[static_cast<int>(t)];
}
std::string_view name(Axis axis) {
  constexpr std::string_view names[] = {"all", "rows", "columns"};
  return names[static_cast<int>(axis)];
}
std::string_view name(Activation a) { return kernels::name(kernels::unary_of(a)); }
std::span<const Activation> all_activations() {
#define GPUVAE_ENUMERATOR(name, Function) Activation::name,
  static constexpr Activation kAll[] = {GPUVAE_ACTIVATIONS(GPUVAE_ENUMERATOR)};
#undef GPUVAE_ENUMERATOR
  return kAll;
}
std::string_view name(Precision p) {
  constexpr std::string_view names[] = {"f32", "tf32", "bf16"};
  return names[static_cast<int>(p)];
}
std::string_view name(PosteriorScale s) {
  constexpr std::string_view names[] = {"log_variance", "log_sigma", "softplus"};
  return names[static_cast<int>(s)];
}
std::string_view name(Binarize b) {
  constexpr std::string_view names[] = {"none", "threshold", "fixed", "dynamic"};
  return names[static_cast<int>(b)];
}
std::string_view name(OptimizerKind k) {
  constexpr std::string_view names[] = {"sgd", "rmsprop", "rmsprop_tf1", "adagrad", "adam", "adamw"};
  return names[static_cast<int>(k)];
}
std::string_view name(Executor e) {
  constexpr std::string_view names[] = {"auto", "eager", "graph", "fused"};
  return names[static_cast<int>(e)];
}
std::string_view name(OnNan o) {
  constexpr std::string_view names[] = {"stop", "skip", "rewind"};
  return names[static_cast<int>(o)];
}
std::string_view name(ErrorKind kind) {
  constexpr std::string_view names[] = {"invalid_argument", "unsupported", "out_of_memory", "io", "cuda",
                                        "not_finite"};
  return names[static_cast<int>(kind)];
}

}  // namespace gpuvae
