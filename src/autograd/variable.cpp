#include "gpuvae/autograd.h"

#include <atomic>

#include "kernels/check.h"
#include "src/autograd/node.h"

namespace gpuvae {
namespace {
thread_local bool recording = true;
}

bool grad_enabled() { return recording; }
NoGradGuard::NoGradGuard() : previous_(recording) { recording = false; }
NoGradGuard::~NoGradGuard() { recording = previous_; }

Variable::Variable(Tensor value, bool requires_grad) : value_(std::move(value)) {
  if (!requires_grad) return;
  check(value_ && (value_.dtype() == DType::f32 || value_.dtype() == DType::f64), "variable",
        "expected f32 or f64 for a leaf that requires gradients, got {}", value_);
  leaf_ = std::make_shared<autograd::Leaf>();
  leaf_->value = std::move(value_);
  value_ = Tensor();
}

const Tensor& Variable::value() const { return leaf_ ? leaf_->value : value_; }

Tensor Variable::grad() const { return leaf_ && leaf_->defined ? leaf_->grad : Tensor(); }

void Variable::zero_grad() const {
  if (!leaf_) return;
  leaf_->defined = false;
  if (!leaf_->has_storage) leaf_->grad = Tensor();
}

void Variable::set_grad_storage(Tensor storage) const {
  check(leaf_ != nullptr, "set_grad_storage", "expected a leaf that requires gradients, got {}", value());
  check(storage && storage.shape() == shape() && storage.dtype() == dtype() && storage.device() == device(),
        "set_grad_storage", "expected {}, got {}", value(), storage);
  check(leaf_->optimizer.expired(), "set_grad_storage",
        "expected a leaf that no optimiser updates, got {}, whose gradient storage belongs to an optimiser",
        value());
  leaf_->grad = std::move(storage);
  leaf_->has_storage = true;
  leaf_->defined = false;
}

void Variable::zero_stored_grad() const {
  check(leaf_ && leaf_->has_storage, "zero_stored_grad", "expected a leaf with gradient storage, got {}",
        value());
  leaf_->grad.fill(0);
  leaf_->defined = true;
}

void Variable::backward(bool retain_graph) const {
  const autograd::Root root{*this};
  autograd::backward({&root, 1}, retain_graph);
}

autograd::Edge GraphAccess::edge(const Variable& v) {
  if (v.node_) return {nullptr, v.node_, v.output_};
  return {v.leaf_, nullptr, 0};
}

void GraphAccess::move_value(const Variable& leaf, Tensor to) {
  to.copy_from(leaf.value());
  leaf.leaf_->value = std::move(to);
}

bool GraphAccess::needs_gradient(Inputs inputs) {
  if (!recording) return false;
  for (const Variable* v : inputs)
    if (v->requires_grad()) return true;
  return false;
}

std::shared_ptr<autograd::Node> GraphAccess::make_node(const char* name, Inputs inputs) {
  static std::atomic<std::uint64_t> created = 0;
  auto node = std::make_shared<autograd::Node>();
  node->order = ++created;
  node->name = name;
  node->inputs.reserve(inputs.size());
  for (const Variable* v : inputs) {
    const autograd::Edge& input = node->inputs.emplace_back(edge(*v));
    if (input.node) ++input.node->outputs[static_cast<std::size_t>(input.output)].consumers;
  }
  return node;
}

Variable GraphAccess::output(const std::shared_ptr<autograd::Node>& node, Tensor value) {
  node->outputs.push_back({value.shape(), value.dtype(), value.device(), {}});
  Variable v(std::move(value));
  v.node_ = node;
  v.output_ = static_cast<int>(node->outputs.size()) - 1;
  return v;
}

}  // namespace gpuvae
