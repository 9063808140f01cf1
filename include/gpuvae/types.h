// The names of the enumerations in enums.h, as messages, flags and files have them.
#pragma once

#include <span>
#include <string_view>

#include "gpuvae/enums.h"

namespace gpuvae {

// "f32", "f64", ...
[[nodiscard]] std::string_view name(DType t);
// "all", "rows", "columns".
[[nodiscard]] std::string_view name(Axis axis);
// "relu", "leaky_relu", ...
[[nodiscard]] std::string_view name(Activation a);
// "f32", "tf32", "bf16".
[[nodiscard]] std::string_view name(Precision p);
// "log_variance", "log_sigma", "softplus".
[[nodiscard]] std::string_view name(PosteriorScale s);
// "none", "threshold", "fixed", "dynamic".
[[nodiscard]] std::string_view name(Binarize b);
// "sgd", "rmsprop", ...
[[nodiscard]] std::string_view name(OptimizerKind k);
// "auto", "eager", "graph", "fused".
[[nodiscard]] std::string_view name(Executor e);

// The list of all activations, in the order of the enumeration.
[[nodiscard]] std::span<const Activation> all_activations();

}  // namespace gpuvae
