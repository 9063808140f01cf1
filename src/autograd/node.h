// The graph behind variables, and what an operation's backward function sees of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

// Left by a layer that ends with ReLU. The layer above may send the gradient through that ReLU at the end of
// its own product, with the bias's gradient: the layer then finds that done (kernels::ReluMask).
struct ReluBelow {
  Tensor bits;
  Saved output;
  int bias = 0;  // which input the bias is
  bool passed = false;
};

class BackwardContext;

struct Node {
  std::uint64_t order = 0;  // of creation: consumers come after producers
  const char* name = "";
  std::string own_name;  // what `name` points at in a custom operation
  std::vector<Edge> inputs;
  std::vector<Output> outputs;
  std::function<void(BackwardContext&)> backward;
  std::unique_ptr<ReluBelow> relu;
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

  // Where a kernel may write the gradient of an input after sending it through the ReLU that made it, and of
  // that layer's bias; null if the input is no such output, or if gradients from elsewhere have to be added.
  struct ThroughRelu {
    const ReluBelow* relu = nullptr;
    Tensor gradient, d_bias;
  };
  ThroughRelu through_relu(int input) const;
  // Whether the node's gradient came that way.
  bool relu_passed() const { return node_.relu && node_.relu->passed; }

 private:
  Node& node_;
  bool retain_;
};

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
