// Reverse-mode automatic differentiation, define-by-run: operations on variables that require gradients
// record a graph; backward() walks it once and frees it.
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

  explicit operator bool() const { return static_cast<bool>(value()); }
  // An optimiser moves the elements of its leaves into its own memory when it is constructed. value() then
  // returns the new tensor, and tensors that were taken before keep the old elements.
  [[nodiscard]] const Tensor& value() const;
  [[nodiscard]] const Shape& shape() const { return value().shape(); }
  [[nodiscard]] DType dtype() const { return value().dtype(); }
  [[nodiscard]] Device device() const { return value().device(); }

  [[nodiscard]] bool requires_grad() const { return leaf_ || node_; }
  [[nodiscard]] bool is_leaf() const { return !node_; }
  [[nodiscard]] Tensor grad() const;  // of a leaf; undefined if none has arrived since zero_grad()
  void zero_grad() const;             // forgets the gradient; costs nothing on the device
  // Where a leaf's gradient shall be written, for instance a slice of an arena. Same shape, dtype and device.
  void set_grad_storage(Tensor storage) const;
  void zero_stored_grad() const;  // fills the storage set above with zeros and calls it the gradient
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

// While one lives, operations of this thread record nothing.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};
[[nodiscard]] bool grad_enabled();

namespace autograd {

// The total whose gradient is taken is the sum over roots of weight * *device_weight * variable; each has one
// element.
struct Root {
  Variable variable;
  double weight = 1;
  Tensor device_weight = {};  // [1], of the variable's dtype and device; or undefined, for 1
};
// Adds to the gradient of every leaf reached. The graph is freed unless `retain_graph`; a second pass over a
// freed graph throws.
void backward(std::span<const Root> roots, bool retain_graph = false);

}  // namespace autograd
}  // namespace gpuvae
