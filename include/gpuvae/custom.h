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

// The information that a custom operation's backward function can query. A context is valid only during the
// call of that function.
class CustomContext {
 public:
  // Whether the gradient of input number `input` is needed. The function need not compute the other
  // gradients.
  [[nodiscard]] bool needs_gradient(int input) const;
  // Returns tensor number `index` of custom()'s `saved`. Throws Error if its elements were changed in place
  // after the call of custom().
  [[nodiscard]] const Tensor& saved(int index) const;

 private:
  friend struct CustomAccess;
  struct State;
  explicit CustomContext(const State& state) : state_(state) {}
  const State& state_;
};

// A backward function returns one tensor per input, in the order of the inputs: the gradient of the
// differentiated scalar, with the input's shape, dtype and device. `d_output` is the gradient with respect to
// the output, has the output's shape, and must not be changed. An undefined tensor means that no gradient
// flows to the input; tensors for inputs that need no gradient are ignored. The function runs in the thread
// that calls backward(), on the current stream of that thread, and its operations are not recorded.
using CustomBackward =
    std::function<std::vector<Tensor>(const Tensor& d_output, const CustomContext& context)>;

// Records an operation whose `value` (f32 or f64) the caller has computed from the values of `inputs` on the
// current stream. Error messages begin with `name`. Pass tensors that the backward function reads in `saved`,
// where changes in place are detected, and do not capture them in the function. If no input requires a
// gradient, or under NoGradGuard, the result is a constant and nothing is saved. backward() throws Error if
// the function returns a different number of tensors, or a tensor whose shape, dtype or device differs from
// its input's.
[[nodiscard]] Variable custom(std::string name, std::span<const Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});
// Like custom() above, with a list of inputs.
[[nodiscard]] Variable custom(std::string name, std::initializer_list<Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});

}  // namespace gpuvae
