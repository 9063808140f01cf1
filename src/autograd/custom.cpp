// Custom operations. Their node calls the user's backward function and checks the gradients that it returns.
#include "gpuvae/custom.h"

#include "kernels/check.h"
#include "src/autograd/node.h"
#include "src/autograd/saved.h"

namespace gpuvae {

struct CustomContext::State {
  const char* name;
  const autograd::BackwardContext& context;
  const std::vector<autograd::Saved>& saved;
  int inputs;
};

bool CustomContext::needs_gradient(int input) const {
  check(input >= 0 && input < state_.inputs, state_.name, "expected an input below {}, got {}", state_.inputs,
        input);
  return state_.context.needs(input);
}

const Tensor& CustomContext::saved(int index) const {
  check(index >= 0 && index < static_cast<int>(state_.saved.size()), state_.name,
        "expected a saved tensor below {}, got {}", state_.saved.size(), index);
  return state_.saved[static_cast<std::size_t>(index)].get();
}

struct CustomAccess {
  // The shape, dtype and device that a gradient must have.
  struct Form {
    Shape shape;
    DType dtype;
    Device device;
  };

  CustomBackward backward;
  std::vector<autograd::Saved> saved;
  std::vector<Form> forms;  // forms of the inputs

  void operator()(const char* name, autograd::BackwardContext& context) const {
    const CustomContext::State state{name, context, saved, static_cast<int>(forms.size())};
    std::vector<Tensor> gradients = backward(context.gradient_tensor(), CustomContext(state));
    check_gradients(name, context, gradients);
    for (std::size_t i = 0; i < forms.size(); ++i)
      if (gradients[i]) context.add(static_cast<int>(i), std::move(gradients[i]));
  }

 private:
  // Checks all gradients before any of them is accumulated.
  void check_gradients(const char* name, const autograd::BackwardContext& context,
                       const std::vector<Tensor>& gradients) const {
    check(gradients.size() == forms.size(), name, "expected {} gradients from backward, got {}", forms.size(),
          gradients.size());
    for (std::size_t i = 0; i < forms.size(); ++i) {
      const Tensor& g = gradients[i];
      if (!g || !context.needs(static_cast<int>(i))) continue;
      const Form& form = forms[i];
      check(g.shape() == form.shape && g.dtype() == form.dtype && g.device() == form.device, name,
            "expected {}{} on {} as the gradient of input {}, got {}", gpuvae::name(form.dtype), form.shape,
            form.device, i, g);
    }
  }
};

namespace {

void check_custom(const std::string& name, std::span<const Variable> inputs, const Tensor& value,
                  const CustomBackward& backward) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    check(static_cast<bool>(inputs[i]), name, "expected input {} to be defined, got an undefined variable",
          i);
  check(static_cast<bool>(value) && (value.dtype() == DType::f32 || value.dtype() == DType::f64), name,
        "expected a value of f32 or f64, got {}", value);
  check(static_cast<bool>(backward), name, "expected a backward function, got an empty one");
}

}  // namespace

Variable custom(std::string name, std::span<const Variable> inputs, Tensor value, CustomBackward backward,
                std::vector<Tensor> saved) {
  check_custom(name, inputs, value, backward);
  std::vector<const Variable*> pointers;
  for (const Variable& input : inputs) pointers.push_back(&input);
  if (!GraphAccess::needs_gradient(pointers)) return Variable(std::move(value));
  const auto node = GraphAccess::make_node("", pointers);
  node->own_name = std::move(name);
  node->name = node->own_name.c_str();
  CustomAccess operation{std::move(backward), {}, {}};
  for (Tensor& tensor : saved) operation.saved.emplace_back(node->name, std::move(tensor));
  for (const Variable& input : inputs)
    operation.forms.push_back({input.shape(), input.dtype(), input.device()});
  node->backward = [operation = std::move(operation), name = node->name](autograd::BackwardContext& context) {
    operation(name, context);
  };
  return GraphAccess::output(node, std::move(value));
}

Variable custom(std::string name, std::initializer_list<Variable> inputs, Tensor value,
                CustomBackward backward, std::vector<Tensor> saved) {
  return custom(std::move(name), std::span(inputs.begin(), inputs.size()), std::move(value),
                std::move(backward), std::move(saved));
}

}  // namespace gpuvae
