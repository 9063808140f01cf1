// The names of the enumerations in enums.h, as messages, flags and files contain them.
#pragma once

#include <span>
#include <string_view>

#include "gpuvae/enums.h"
#include "gpuvae/language.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Returns the name: "f32", "f64", ...
[[nodiscard]] std::string_view name(DType t);
// Returns the name: "all", "rows", "columns".
[[nodiscard]] std::string_view name(Axis axis);
// Returns the name: "relu", "leaky_relu", ...
[[nodiscard]] std::string_view name(Activation a);
// Returns the name: "f32", "tf32", "bf16".
[[nodiscard]] std::string_view name(Precision p);
// Returns the name: "log_variance", "log_sigma", "softplus".
[[nodiscard]] std::string_view name(PosteriorScale s);
// Returns the name: "total", "path", "doubly_reparameterized".
[[nodiscard]] std::string_view name(EncoderGradient g);
// Returns the name: "elbo", "stl", "iwae", ...
[[nodiscard]] std::string_view name(ObjectiveKind k);
// Returns the name: "none", "threshold", "fixed", "dynamic".
[[nodiscard]] std::string_view name(Binarize b);
// Returns the name: "sgd", "rmsprop", ...
[[nodiscard]] std::string_view name(OptimizerKind k);
// Returns the name: "warmup", "debiased", "first", "zero".
[[nodiscard]] std::string_view name(AverageForm f);
// Returns the name: "auto", "eager", "graph", "fused".
[[nodiscard]] std::string_view name(Executor e);
// Returns the name: "stop", "skip", "rewind".
[[nodiscard]] std::string_view name(OnNan o);

// The list of all activations, in the order of the enumeration.
[[nodiscard]] std::span<const Activation> all_activations();

}  // namespace gpuvae
#pragma GCC visibility pop
