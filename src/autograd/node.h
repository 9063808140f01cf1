// The autograd graph: nodes, edges and gradients, and the view of them that backward functions get.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/autograd.h"
#include "src/autograd/saved.h"

namespace gpuvae::autograd {

// The gradient with respect to a node's output: none so far, one constant for all elements, or a tensor.
// Constants stay on the host, so that scaling a loss launches no kernel.
struct Gradient {
  enum class Kind : std::uint8_t { none, constant, tensor };
  Kind kind = Kind::none;
  double constant = 0;
  Tensor tensor;
  // True if the node that wrote the gradient computed part of the producer's backward pass in the same
  // kernel. See BackwardContext::sole_producer.
  bool fused = false;
};

struct Leaf {
  Tensor value;  // GraphAccess::move_value replaces it by a tensor of the same shape, dtype and device
  Tensor grad;   // valid if `defined` is true; otherwise undefined, or the storage that was set
  bool has_storage = false;
  bool defined = false;
  std::weak_ptr<const void> optimizer;  // the optimiser that updates the leaf, while it exists
};

// The destination of a gradient: a leaf, or an output of an earlier node.
struct Edge {
  std::shared_ptr<Leaf> leaf;
  std::shared_ptr<Node> node;
  int output = 0;
  explicit operator bool() const { return leaf || node; }
};

struct Output {
  Shape shape;
  DType dtype;
  Device device;
  Gradient gradient;
  int consumers = 0;  // number of nodes that use the output as an input
};

class BackwardContext;
template <class F>
struct Producer;

struct Node {
  std::uint64_t order = 0;  // order of creation; a node's inputs were created before it
  const char* name = "";
  std::string own_name;  // the text that `name` points to in a custom operation
  std::vector<Edge> inputs;
  std::vector<Output> outputs;
  std::function<void(BackwardContext&)> backward;
  bool freed = false, queued = false;

  Node() = default;
  ~Node();  // iterative, so that a long chain does not overflow the stack
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

// The argument of a node's backward function.
class BackwardContext {
 public:
  BackwardContext(Node& node, bool retain) : node_(node), retain_(retain) {}

  bool needs(int input) const { return static_cast<bool>(node_.inputs[input]); }
  bool retains_graph() const { return retain_; }
  const Gradient& gradient(int output = 0) const { return node_.outputs[output].gradient; }
  // Returns the gradient as a tensor: a constant is expanded, and a missing gradient becomes zeros.
  Tensor gradient_tensor(int output = 0) const;
  // Returns the gradient and removes it from the node. The caller may overwrite the tensor if it is the sole
  // owner (Tensor::is_sole_owner).
  Tensor take_gradient(int output = 0) const;

  // Adds to the gradient of an input.
  void add(int input, Tensor gradient) const;
  void add_constant(int input, double gradient) const;

  // The tensor to which a kernel may write (or add) the gradient of an input directly.
  struct Destination {
    Tensor tensor;
    bool accumulate;
  };
  Destination destination(int input) const;

  // Whether an input is a leaf that has no gradient yet, so that a kernel can overwrite destination(input)
  // instead of adding to it.
  bool is_first_leaf_gradient(int input) const {
    const Edge& edge = node_.inputs[input];
    return edge.leaf && !edge.leaf->defined;
  }

  // Returns the node whose first output is the input, if its backward function is an F, if this node is the
  // only consumer of that output, and if that output has no gradient yet. An operation can then compute the
  // gradient of the input and part of the producer's backward pass in one kernel. The operation writes to
  // destination(input) and sets `gradient->fused`, which the producer's backward function reads.
  template <class F>
  std::optional<Producer<F>> sole_producer(int input) const;

 private:
  Node& node_;
  bool retain_;
};

template <class F>
struct Producer {
  const F* backward = nullptr;
  Gradient* gradient = nullptr;  // gradient of the producer's output
  BackwardContext context;
};

template <class F>
std::optional<Producer<F>> BackwardContext::sole_producer(int input) const {
  const Edge& edge = node_.inputs[input];
  if (!edge.node || edge.output != 0) return {};
  const F* backward = edge.node->backward.template target<F>();
  Output& output = edge.node->outputs[0];
  if (!backward || output.consumers != 1 || output.gradient.kind != Gradient::Kind::none) return {};
  return Producer<F>{backward, &output.gradient, BackwardContext(*edge.node, retain_)};
}

}  // namespace gpuvae::autograd

namespace gpuvae {

// Gives operations access to the private members of variables.
struct GraphAccess {
  using Inputs = std::span<const Variable* const>;
  static bool needs_gradient(Inputs inputs);
  static bool needs_gradient(std::initializer_list<const Variable*> inputs) {
    return needs_gradient(Inputs(inputs.begin(), inputs.size()));
  }
  static std::shared_ptr<autograd::Node> make_node(const char* name, Inputs inputs);
  static std::shared_ptr<autograd::Node> make_node(const char* name,
                                                   std::initializer_list<const Variable*> inputs) {
    return make_node(name, Inputs(inputs.begin(), inputs.size()));
  }
  static Variable output(const std::shared_ptr<autograd::Node>& node, Tensor value);
  static autograd::Edge edge(const Variable& v);
  static bool same_leaf(const Variable& a, const Variable& b) { return a.leaf_ && a.leaf_ == b.leaf_; }
  // Copies a leaf's elements to `to` and makes `to` the value of all copies of the variable.
  static void move_value(const Variable& leaf, Tensor to);
};

}  // namespace gpuvae
