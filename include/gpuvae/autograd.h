// Reverse-mode automatic differentiation, define-by-run: operations on variables that require gradients
// record a graph, and backward() walks the graph and, by default, frees it. Threads may build graphs and call
// backward() at the same time, as long as their graphs share no leaf.
#pragma once

#include <memory>
#include <span>

#include "gpuvae/tensor.h"

namespace gpuvae {
struct GraphAccess;
}  // namespace gpuvae

#pragma GCC visibility push(default)
namespace gpuvae {

namespace autograd {
struct Node;
struct Leaf;
}  // namespace autograd

// A tensor and its place in the graph. Copies refer to the same variable: copies of a leaf share its value
// and gradient, so layers, optimisers and checkpoints that hold the same leaf see each other's changes.
// Several threads may read a variable at the same time. A thread that calls backward() or changes a gradient
// needs exclusive access to the gradients of all leaves that the call reaches.
class Variable {
 public:
  Variable() = default;
  // Creates a constant or, if `requires_grad` is true, a leaf whose gradient backward() accumulates. Throws
  // Error if the leaf is neither f32 nor f64.
  Variable(Tensor value, bool requires_grad = false);  // NOLINT: implicit: a tensor is a constant

  explicit operator bool() const { return static_cast<bool>(value()); }  // false if default-constructed
  // @{
  // The value, and its shape, dtype and device. The constructor of an optimiser moves the elements of its
  // leaves into its own memory: value() then returns the new tensor, while tensors that value() returned
  // earlier keep the old elements.
  [[nodiscard]] const Tensor& value() const;
  [[nodiscard]] const Shape& shape() const { return value().shape(); }
  [[nodiscard]] DType dtype() const { return value().dtype(); }
  [[nodiscard]] Device device() const { return value().device(); }
  // @}

  // Whether backward() computes a gradient for this variable.
  [[nodiscard]] bool requires_grad() const { return leaf_ || node_; }
  // Whether this variable is not the result of a recorded operation.
  [[nodiscard]] bool is_leaf() const { return !node_; }
  // The gradient of a leaf. It is undefined if nothing was added to it since the last zero_grad().
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

  // Adds the gradient of this one-element variable to the gradients of the leaves; see autograd::backward.
  void backward(bool retain_graph = false) const;

 private:
  friend struct GraphAccess;
  Tensor value_;  // undefined for a leaf, which keeps its value in *leaf_
  std::shared_ptr<autograd::Leaf> leaf_;
  std::shared_ptr<autograd::Node> node_;
  int output_ = 0;
};

// While a NoGradGuard exists, operations on the same thread record no graph.
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

// One term of the scalar that autograd::backward differentiates. The scalar is the sum over all roots of
// weight * device_weight * variable.
struct Root {
  Variable variable = {};  // one element
  double weight = 1;       // factor in host memory
  // Factor in device memory: [1], with the variable's dtype and device; undefined counts as 1.
  Tensor device_weight = {};
};
// Adds the gradient of the roots' sum to the gradient of every leaf on which the roots depend. Frees the
// graph unless `retain_graph` is true. Throws Error if a root requires no gradient or has more than one
// element, if the graph was freed already, or if a value that an operation saved was changed in place. If a
// backward function throws, some leaves may already have new gradients: call zero_grad() on all of them.
void backward(std::span<const Root> roots, bool retain_graph = false);

}  // namespace autograd
}  // namespace gpuvae
#pragma GCC visibility pop
