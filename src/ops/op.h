// Helpers that all operations share: argument checks, access to the backend, and recording of nodes.
#pragma once

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "src/autograd/node.h"

namespace gpuvae::ops {

using autograd::BackwardContext;
using autograd::Gradient;
using autograd::Saved;

inline kernels::Backend& backend(const Tensor& t) { return t.device().backend(); }
inline kernels::StreamHandle stream(const Tensor& t) { return Stream::current(t.device()).handle(); }
inline Tensor empty_like(const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), t.device()); }
inline Tensor scalar_like(const Tensor& t) { return Tensor::empty({1}, t.dtype(), t.device()); }

inline void check_defined(const char* operation, const Variable& v, const char* what) {
  check(static_cast<bool>(v), operation, "expected {}, got an undefined variable", what);
}
// Checks that the dtype of `v` is f32 or f64.
inline void check_real(const char* operation, const Variable& v) {
  check(v.dtype() == DType::f32 || v.dtype() == DType::f64, operation, "expected f32 or f64, got {}",
        v.value());
}
// Checks that `v` has the dtype and device of `like`.
inline void check_like(const char* operation, const Variable& v, const Variable& like) {
  check(v.dtype() == like.dtype() && v.device() == like.device(), operation,
        "expected {} on {} like the other input, got {}", name(like.dtype()), like.device(), v.value());
}

// Returns the output, attached to a new node if any input requires a gradient.
template <class Backward>
Variable record(const char* operation, GraphAccess::Inputs inputs, Tensor value, Backward&& backward) {
  if (!GraphAccess::needs_gradient(inputs)) return Variable(std::move(value));
  auto node = GraphAccess::make_node(operation, inputs);
  node->backward = std::forward<Backward>(backward);
  return GraphAccess::output(node, std::move(value));
}

template <class Backward>
Variable record(const char* operation, std::initializer_list<const Variable*> inputs, Tensor value,
                Backward&& backward) {
  return record(operation, GraphAccess::Inputs(inputs.begin(), inputs.size()), std::move(value),
                std::forward<Backward>(backward));
}

// Adds slope * d_output to the gradient of an input. The operation has a scalar output, and its forward pass
// computed `slope`, the derivative with respect to the input.
void add_scaled(BackwardContext& context, int input, const Tensor& slope);

}  // namespace gpuvae::ops
