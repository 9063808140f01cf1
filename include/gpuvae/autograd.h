// Reverse-mode automatic differentiation, define-by-run: operations on variables that require gradients
// record a graph, and backward() walks it once and frees it. Different graphs may be built and walked by
// different threads at the same time, as long as they share no leaf.
#pragma once

#include <memory>
#include <span>

#include "gpuvae/tensor.h"

namespace gpuvae {

namespace autograd {
struct Node;
struct Leaf;
}  // namespace autograd

// A tensor together with its place in the graph. Copies are the same variable: copies of a leaf share its
// value and its gradient, so layers, optimisers and checkpoints that hold the same leaf see each other's
// changes. A variable may be read from several threads. Only one thread at a time may call backward(), or the
// members that change a gradient, for the leaves that the call reaches.
class Variable {
 public:
  Variable() = default;
  // A constant, or a leaf whose gradient backward() accumulates. Throws Error for a leaf that is not f32 or
  // f64.
  Variable(Tensor value, bool requires_grad = false);  // NOLINT: tensors are constants, implicitly

  explicit operator bool() const { return static_cast<bool>(value()); }  // false if default-constructed
  // @{
  // The value, and its shape, dtype and device. An optimiser moves the elements of its leaves into its own
  // memory when it is constructed: value() then returns the new tensor, and tensors that were taken before
  // keep the old elements.
  [[nodiscard]] const Tensor& value() const;
  [[nodiscard]] const Shape& shape() const { return value().shape(); }
  [[nodiscard]] DType dtype() const { return value().dtype(); }
  [[nodiscard]] Device device() const { return value().device(); }
  // @}

  // Whether backward() computes a gradient for this variable.
  [[nodiscard]] bool requires_grad() const { return leaf_ || node_; }
  // Whether this variable is not the result of a recorded operation.
  [[nodiscard]] bool is_leaf() const { return !node_; }
  // The gradient of a leaf. It is undefined if no gradient was added since zero_grad().
  [[nodiscard]] Tensor grad() const;
  // Drops the gradient. This function launches no kernel.
  void zero_grad() const;
  // Sets the tensor into which a leaf's gradient is written, for instance a slice of an arena. It must have
  // the leaf's shape, dtype and device.
  void set_grad_storage(Tensor storage) const;
  // Fills the tensor of set_grad_storage() with zeros, which are then the gradient.
  void zero_stored_grad() const;
  // Returns the value as a constant.
  [[nodiscard]] Variable detach() const { return Variable(value()); }

  // Adds the gradients of this one-element variable to all leaves; see autograd::backward.
  void backward(bool retain_graph = false) const;

 private:
  friend struct GraphAccess;
  Tensor value_;  // undefined for a leaf, which keeps its value in *leaf_
  std::shared_ptr<autograd::Leaf> leaf_;
  std::shared_ptr<autograd::Node> node_;
  int output_ = 0;
};

// While a NoGradGuard exists, the operations of its thread record no graph.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};
// Whether the operations of this thread record a graph.
[[nodiscard]] bool grad_enabled();

namespace autograd {

// A term of the scalar that autograd::backward differentiates: the sum over all roots of
// weight * device_weight * variable.
struct Root {
  Variable variable = {};  // one element
  double weight = 1;       // a factor that is known on the host
  // A factor in device memory: [1], with the variable's dtype and device. An undefined factor counts as 1.
  Tensor device_weight = {};
};
// Adds the gradient of the roots' sum to the gradient of every leaf on which the roots depend. Frees the
// graph unless `retain_graph` is true. Throws Error if a root requires no gradient or has more than one
// element, if the graph was freed already, or if a value that an operation saved was changed in place. If an
// operation's gradient throws, some leaves have received gradients and others have not: call zero_grad().
void backward(std::span<const Root> roots, bool retain_graph = false);

}  // namespace autograd
}  // namespace gpuvae
