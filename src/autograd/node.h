// The graph behind variables, and what an operation's backward function sees of it.
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

// d total / d output: nothing yet, one number for every element, or a tensor. Numbers stay on the host, so
// that scaling a loss launches no kernel.
struct Gradient {
  enum class Kind : std::uint8_t { none, constant, tensor };
  Kind kind = Kind::none;
  double constant = 0;
  Tensor tensor;
  // Whether the consumer that wrote it has done part of the producer's backward pass in the same kernel. See
  // BackwardContext::sole_producer.
  bool fused = false;
};

struct Leaf {
  Tensor value;  // GraphAccess::move_value replaces it by a tensor of the same shape, dtype and device
  Tensor grad;   // what the caller sees; undefined if `defined` is false and no storage was set
  bool has_storage = false;
  bool defined = false;
  std::weak_ptr<const void> optimizer;  // which updates it, while that lives
};

// Where a gradient goes: a leaf, or an output of an earlier node.
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
  int consumers = 0;  // nodes that were made with it as an input
};

class BackwardContext;
template <class F>
struct Producer;

struct Node {
  std::uint64_t order = 0;  // of creation: consumers come after producers
  const char* name = "";
  std::string own_name;  // what `name` points at in a custom operation
  std::vector<Edge> inputs;
  std::vector<Output> outputs;
  std::function<void(BackwardContext&)> backward;
  bool freed = false, queued = false;

  Node() = default;
  ~Node();  // iterative: a long chain does not recurse
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

// Handed to a node's backward function.
class BackwardContext {
 public:
  BackwardContext(Node& node, bool retain) : node_(node), retain_(retain) {}

  bool needs(int input) const { return static_cast<bool>(node_.inputs[input]); }
  bool retains_graph() const { return retain_; }
  const Gradient& gradient(int output = 0) const { return node_.outputs[output].gradient; }
  // The same as a tensor, filled if it was a number; zeros if nothing arrived.
  Tensor gradient_tensor(int output = 0) const;
  // And given up by the node: may be overwritten if it is the sole owner.
  Tensor take_gradient(int output = 0) const;

  // Adds to the gradient of an input.
  void add(int input, Tensor gradient) const;
  void add_constant(int input, double gradient) const;

  // Where a kernel may write (or add) the gradient of an input itself.
  struct Destination {
    Tensor tensor;
    bool accumulate;
  };
  Destination destination(int input) const;

  // Whether an input is a leaf without a gradient yet: destination(input) is then written, not added to.
  bool is_first_leaf_gradient(int input) const {
    const Edge& edge = node_.inputs[input];
    return edge.leaf && !edge.leaf->defined;
  }

  // The node whose first output the input is, if its backward function is an F, if this node is the only
  // consumer of that output, and if no gradient of that output exists yet. With it an operation can compute
  // the gradient of the input and part of the producer's backward pass in one kernel. The operation writes to
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
  Gradient* gradient = nullptr;  // of the producer's output
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

// Operations build variables through this.
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
  // Copies a leaf's elements to `to`, which all copies of the variable then have as their value.
  static void move_value(const Variable& leaf, Tensor to);
};

}  // namespace gpuvae
