// Custom operations: the caller computes the value in any way, on the CPU or with CUDA kernels, and supplies
// a function that computes the gradients of the inputs.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/autograd.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Gives a backward function access to the saved tensors and to the inputs that need a gradient. A context is
// valid only during the call of that function.
class CustomContext {
 public:
  // Returns whether the gradient of input number `input` is needed. A gradient that is not needed may be left
  // undefined.
  [[nodiscard]] bool needs_gradient(int input) const;
  // Returns tensor number `index` of the argument `saved` of custom(). Throws Error if its elements were
  // changed in place after the call of custom().
  [[nodiscard]] const Tensor& saved(int index) const;

 private:
  friend struct CustomAccess;
  struct State;
  explicit CustomContext(const State& state) : state_(state) {}
  const State& state_;
};

// A backward function returns one tensor per input, in the order of the inputs: the gradient, with respect to
// that input, of the scalar that backward() differentiates. It has the input's shape, dtype and device.
// `d_output` is the gradient with respect to the output, has the output's shape, and must not be changed. An
// undefined tensor adds nothing to the input's gradient. Tensors for inputs that need no gradient are
// ignored. The function runs in the thread that calls backward(), on the current stream of that thread, and
// its operations are not recorded.
using CustomBackward =
    std::function<std::vector<Tensor>(const Tensor& d_output, const CustomContext& context)>;

// Records an operation whose `value` (f32 or f64) the caller has computed from the values of `inputs` on the
// current stream. Error messages begin with `name`. Pass every tensor that the backward function reads in
// `saved`, where a change in place is detected. A change of a tensor that the function captures instead would
// go unnoticed. If no input requires a gradient, or under NoGradGuard, the result is a constant and nothing
// is saved. backward() throws Error if the function returns a different number of tensors, or a tensor whose
// shape, dtype or device differs from its input's.
[[nodiscard]] Variable custom(std::string name, std::span<const Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});
// Like custom() above, with a list of inputs.
[[nodiscard]] Variable custom(std::string name, std::initializer_list<Variable> inputs, Tensor value,
                              CustomBackward backward, std::vector<Tensor> saved = {});

}  // namespace gpuvae
#pragma GCC visibility pop
