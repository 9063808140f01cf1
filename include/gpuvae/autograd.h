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
// value and its gradient, so that layers, optimisers and checkpoints that hold one see each other's changes.
// A variable may be read from several threads; backward() and the members that change a gradient need one
// thread at a time for the leaves that they reach.
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
  // Whether this variable is no result of a recorded operation.
  [[nodiscard]] bool is_leaf() const { return !node_; }
  // The gradient of a leaf; undefined if none was added since zero_grad().
  [[nodiscard]] Tensor grad() const;
  // Forgets the gradient. Launches no kernel.
  void zero_grad() const;
  // Sets the tensor into which a leaf's gradient is written, for instance a slice of an arena. It has the
  // leaf's shape, dtype and device.
  void set_grad_storage(Tensor storage) const;
  // Fills that tensor with zeros, which then are the gradient.
  void zero_stored_grad() const;
  // The value as a constant.
  [[nodiscard]] Variable detach() const { return Variable(value()); }

  // Gradients of this one-element variable with respect to all leaves; see autograd::backward.
  void backward(bool retain_graph = false) const;

 private:
  friend struct GraphAccess;
  Tensor value_;  // undefined for a leaf, which keeps its value in *leaf_
  std::shared_ptr<autograd::Leaf> leaf_;
  std::shared_ptr<autograd::Node> node_;
  int output_ = 0;
};

// While an object of this class exists, operations of its thread record no graph.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};
// Whether operations of this thread record a graph.
[[nodiscard]] bool grad_enabled();

namespace autograd {

// A term of the scalar that autograd::backward differentiates: the sum over all roots of
// weight * device_weight * variable.
struct Root {
  Variable variable = {};  // of one element
  double weight = 1;       // a factor that is known on the host
  Tensor device_weight =
      {};  // a factor in device memory: [1], of the variable's dtype and device; undefined counts as 1
};
// Adds the gradient of the roots' sum to the gradient of every leaf that the roots depend on. Frees the graph
// unless `retain_graph`. Throws Error for a root that requires no gradient or has more than one element, for
// a graph that was freed, and if a value that an operation kept for its gradient was changed in place.
void backward(std::span<const Root> roots, bool retain_graph = false);

}  // namespace autograd
}  // namespace gpuvae
