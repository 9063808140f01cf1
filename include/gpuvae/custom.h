// Custom operations: a program computes the value in any way, on the CPU or with CUDA kernels, and supplies a
// function that computes the gradient.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/autograd.h"

namespace gpuvae {

// What a custom operation's backward function can ask for. Valid during the call only.
class CustomContext {
 public:
  // Whether the gradient of input number `input` is needed. The function need not compute the others.
  [[nodiscard]] bool needs_gradient(int input) const;
  // Tensor number `index` of custom()'s `saved`. Throws Error if its elements were changed in place since
  // then.
  [[nodiscard]] const Tensor& saved(int index) const;

 private:
  friend struct CustomAccess;
  struct State;
  explicit CustomContext(const State& state) : state_(state) {}
  const State& state_;
};

// Returns one tensor for each input, in their order: the gradient of the total with the input's shape, dtype
// and device. `d_output` is the gradient with respect to the output, with the output's shape; it must not be
// changed. An undefined tensor means that no gradient flows to the input, and what is returned for an input
// that needs none is ignored. The function runs in the thread that calls backward(), on its current stream,
// and records nothing.
using CustomBackward =
    std::function<std::vector<Tensor>(const Tensor& d_output, const CustomContext& context)>;

// Records an operation whose `value` the caller has computed from the values of `inputs` on the current
// stream. The value is f32 or f64. `name` stands at the start of error messages. Tensors that the backward
// function reads belong in `saved`, where changes in place are noticed, rather than in the function's
// captures. If no input requires a gradient, or under NoGradGuard, the result is a constant and nothing is
// kept. backward() throws Error if the function returns another number of tensors, or one with another shape,
// dtype or device than its input's.
[[nodiscard]] Variable custom(std::string name, std::span<const Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});
// custom() with a list of inputs.
[[nodiscard]] Variable custom(std::string name, std::initializer_list<Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});

}  // namespace gpuvae
