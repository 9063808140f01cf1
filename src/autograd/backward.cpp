// Walks the graph from the roots to the leaves and accumulates gradients.
#include <queue>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/ranges.h"
#include "src/autograd/node.h"

namespace gpuvae::autograd {
namespace {

void add_into(const Tensor& sum, const Tensor& x, double alpha = 1) {
  kernels::AxpbyArgs args{.dtype = sum.dtype(), .size = sum.elements(), .alpha = alpha, .beta = 1};
  args.x = x.data();
  args.y = sum.data();
  sum.device().backend().axpby(args, Stream::current(sum.device()).handle());
}

// Returns the gradient of an output as a tensor that may be changed in place.
Tensor& writable(Output& o) {
  Gradient& g = o.gradient;
  if (g.kind != Gradient::Kind::tensor) {
    g.tensor = Tensor::full(o.shape, g.constant, o.dtype, o.device);
    g.kind = Gradient::Kind::tensor;
  } else if (!g.tensor.is_sole_owner())
    g.tensor = g.tensor.clone();
  return g.tensor;
}

void add_to_output(Output& o, Tensor gradient) {
  if (o.gradient.kind == Gradient::Kind::none) {
    o.gradient = {Gradient::Kind::tensor, 0, std::move(gradient)};
  } else {
    add_into(writable(o), gradient);
  }
}

void add_to_leaf(Leaf& leaf, Tensor gradient) {
  if (leaf.defined) {
    add_into(leaf.grad, gradient);
    leaf.grad.increment_version();
  } else if (leaf.has_storage) {
    leaf.grad.copy_from(gradient);
  } else {
    leaf.grad = gradient.is_sole_owner() ? std::move(gradient) : gradient.clone();
  }
  leaf.defined = true;
}

void add_constant_to(const Edge& edge, double value) {
  if (edge.leaf)
    return add_to_leaf(*edge.leaf, Tensor::full(edge.leaf->value.shape(), value, edge.leaf->value.dtype(),
                                                edge.leaf->value.device()));
  Output& o = edge.node->outputs[edge.output];
  if (o.gradient.kind == Gradient::Kind::tensor)
    add_to_output(o, Tensor::full(o.shape, value, o.dtype, o.device));
  else
    o.gradient = {Gradient::Kind::constant, o.gradient.constant + value, {}};
}

void add_root_to(const Edge& edge, const Root& root) {
  const Variable& v = root.variable;
  if (!root.device_weight) return add_constant_to(edge, root.weight);
  check(root.device_weight.elements() == 1 && root.device_weight.dtype() == v.dtype() &&
            root.device_weight.device() == v.device(),
        "backward", "expected a device_weight of one element like {}, got {}", v.value(), root.device_weight);
  Tensor gradient = Tensor::empty(v.shape(), v.dtype(), v.device());
  kernels::AxpbyArgs args{.dtype = v.dtype(), .size = 1, .alpha = root.weight};
  args.x = root.device_weight.data();
  args.y = gradient.data();
  v.device().backend().axpby(args, Stream::current(v.device()).handle());
  edge.leaf ? add_to_leaf(*edge.leaf, std::move(gradient))
            : add_to_output(edge.node->outputs[edge.output], std::move(gradient));
}

struct LaterFirst {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->order < b->order;
  }
};

// Visits the nodes on which the roots depend, in reverse order of creation, so that all consumers of a node
// are visited before it.
class Walk {
 public:
  ~Walk() {  // after an error, no partially summed gradients remain
    for (; !queue_.empty(); queue_.pop()) reset(*queue_.top());
  }
  void push(const std::shared_ptr<Node>& node) {
    if (!node || node->queued) return;
    check(!node->freed, "backward",
          "the graph of {} was freed by an earlier backward pass: pass retain_graph to keep it", node->name);
    node->queued = true;
    queue_.push(node);
  }
  void run(bool retain) {
    while (!queue_.empty()) {
      const std::shared_ptr<Node> node = queue_.top();
      BackwardContext context(*node, retain);
      for (const Edge& edge : node->inputs) push(edge.node);
      const kernels::Range range(node->name);
      node->backward(context);
      // `node` is still the first in the queue, because its inputs were created before it. It stays in the
      // queue until here, so that the destructor resets it if its backward function throws.
      queue_.pop();
      reset(*node);
      if (retain) continue;
      node->freed = true;
      node->backward = nullptr;
      node->inputs.clear();
    }
  }

 private:
  static void reset(Node& node) {
    node.queued = false;
    for (Output& o : node.outputs) o.gradient = {};
  }
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, LaterFirst> queue_;
};

}  // namespace

void Saved::fail_changed() const {
  fail(operation_,
       "expected {} unchanged since the operation was recorded, got a tensor that was changed in place",
       tensor_);
}

Node::~Node() {
  std::vector<std::shared_ptr<Node>> dying;
  const auto take_inputs = [&](Node& node) {
    for (Edge& edge : node.inputs)
      if (edge.node && edge.node.use_count() == 1) dying.push_back(std::move(edge.node));
    node.inputs.clear();
  };
  take_inputs(*this);
  while (!dying.empty()) {
    const std::shared_ptr<Node> node = std::move(dying.back());
    dying.pop_back();
    take_inputs(*node);
  }
}

Tensor BackwardContext::gradient_tensor(int output) const {
  const Output& o = node_.outputs[output];
  if (o.gradient.kind == Gradient::Kind::tensor) return o.gradient.tensor;
  return Tensor::full(o.shape, o.gradient.constant, o.dtype, o.device);
}

Tensor BackwardContext::take_gradient(int output) const {
  Tensor gradient = gradient_tensor(output);
  node_.outputs[output].gradient = {};
  return gradient;
}

void BackwardContext::add(int input, Tensor gradient) const {
  const Edge& edge = node_.inputs[input];
  if (!edge) return;
  if (edge.leaf)
    add_to_leaf(*edge.leaf, std::move(gradient));
  else
    add_to_output(edge.node->outputs[edge.output], std::move(gradient));
}

void BackwardContext::add_constant(int input, double gradient) const {
  if (node_.inputs[input]) add_constant_to(node_.inputs[input], gradient);
}

BackwardContext::Destination BackwardContext::destination(int input) const {
  const Edge& edge = node_.inputs[input];
  if (edge.leaf) {
    Leaf& leaf = *edge.leaf;
    const bool accumulate = leaf.defined;
    if (!leaf.defined && !leaf.has_storage)
      leaf.grad = Tensor::empty(leaf.value.shape(), leaf.value.dtype(), leaf.value.device());
    leaf.defined = true;
    leaf.grad.increment_version();
    return {leaf.grad, accumulate};
  }
  Output& o = edge.node->outputs[edge.output];
  if (o.gradient.kind != Gradient::Kind::none) return {writable(o), true};
  o.gradient = {Gradient::Kind::tensor, 0, Tensor::empty(o.shape, o.dtype, o.device)};
  return {o.gradient.tensor, false};
}

void backward(std::span<const Root> roots, bool retain_graph) {
  const kernels::Range range("backward");
  Walk walk;
  for (const Root& root : roots) {
    const Variable& v = root.variable;
    check(static_cast<bool>(v) && v.shape().elements() == 1, "backward",
          "expected a variable of one element, got {}", v.value());
    check(v.requires_grad(), "backward", "expected a variable that requires gradients, got a constant {}",
          v.value());
    const Edge edge = GraphAccess::edge(v);
    walk.push(edge.node);
    add_root_to(edge, root);
  }
  NoGradGuard no_recording;
  walk.run(retain_graph);
}

}  // namespace gpuvae::autograd
