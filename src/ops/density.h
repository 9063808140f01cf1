// What the likelihoods' operations share: the checks of their arguments, and the calls of the kernels.
#pragma once

#include "src/ops/op.h"

namespace gpuvae::ops {

// Describes a public function: its name, the likelihood that it computes, the name of its first argument, and
// the content of a row of that argument.
struct Density {
  const char* name;
  kernels::LikelihoodOptions options;
  const char* params = "params";
  const char* layout = "";
};

// Checks `params` and returns the shape of the target that they describe.
Shape checked_shape(const Density& l, const Variable& params);
// Checks the target and returns its shape.
Shape checked_target(const Density& l, const Variable& params, const Variable& target);
// Checks the target and returns the number of rows of `params` per row of the target.
std::int64_t checked_repeats(const Density& l, const Variable& params, const Variable& target);

// weight times the sum over all elements of the negative log likelihood, [1].
Variable negative_log_likelihood(const Density& l, const Variable& params, const Variable& target,
                                 double weight);
// The log density per row of `params`, [rows, 1].
Variable log_density(const Density& l, const Variable& params, const Variable& target);

// ---- for the unfused implementations ----

// Returns scale times the sum of element(params, x) over all elements.
template <class Element>
Variable total(const Density& l, const Variable& params, const Variable& target, double scale,
               const Element& element) {
  checked_target(l, params, target);
  return scale * sum(element(params, target));
}
// Returns the sums of element(params, x) per row. Each row of the target applies to n consecutive rows of
// `params`.
template <class Element>
Variable row_sums(const Density& l, const Variable& params, const Variable& target, const Element& element) {
  const std::int64_t n = checked_repeats(l, params, target);
  const Tensor repeated = n == 1 ? target.value() : repeat_rows(target.value(), n);
  return sum(element(params, repeated.reshape(checked_shape(l, params))), Axis::columns);
}

}  // namespace gpuvae::ops
