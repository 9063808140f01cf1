// A custom operation on the CPU: log(cosh(x)) and its derivative, tanh(x). The program compares the gradient
// with central differences.
//
// Prints:
//   value     1.3250 0.4338 0.0000 0.1201 0.4338 2.3093
//   gradient  -0.9640 -0.7616 0.0000 0.4621 0.7616 0.9951
//   The gradient agrees with central differences.
//
// Exit status: 0 if they agree, 1 otherwise.
#include <gpuvae/custom.h>
#include <gpuvae/ops.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace {

using namespace gpuvae;

// Applies f to each element of an f64 tensor on the CPU.
template <class Function>
Tensor map(const Tensor& x, Function f) {
  const Tensor y = Tensor::empty(x.shape(), DType::f64);
  const double* from = x.data_as<double>();
  double* to = y.data_as<double>();
  for (std::int64_t i = 0; i < x.elements(); ++i) to[i] = f(from[i]);
  return y;
}

// log(cosh(x)), computed as |x| + log(1 + exp(-2 |x|)) - log(2), which does not overflow.
double log_cosh_of(double x) { return std::abs(x) + std::log1p(std::exp(-2 * std::abs(x))) - std::log(2.0); }

// The argument `saved` is {x.value()}, because the backward function needs the values of x.
Variable log_cosh(const Variable& x) {
  return custom("log_cosh", {x}, map(x.value(), log_cosh_of),
                [](const Tensor& d_output, const CustomContext& context) {
                  const Variable slope = map(context.saved(0), [](double v) { return std::tanh(v); });
                  return std::vector<Tensor>{(slope * d_output).value()};
                },
                {x.value()});
}

// Returns the largest absolute difference between `gradient` and (f(x + h) - f(x - h)) / (2 h), where f =
// sum(log_cosh(x)).
double largest_error(const std::vector<double>& x, const std::vector<double>& gradient) {
  const double h = 1e-5;
  const auto total = [&](std::size_t i, double shift) {
    std::vector<double> moved = x;
    moved[i] += shift;
    return sum(log_cosh(Tensor::from(moved, {static_cast<std::int64_t>(x.size())}))).value().item();
  };
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    largest = std::fmax(largest, std::abs((total(i, h) - total(i, -h)) / (2 * h) - gradient[i]));
  return largest;
}

void print(const char* what, const std::vector<double>& values) {
  std::printf("%-9s", what);
  for (const double v : values) std::printf(" %.4f", v);
  std::printf("\n");
}

}  // namespace

int main() {
  const std::vector<double> numbers = {-2, -1, 0, 0.5, 1, 3};
  const Variable x(Tensor::from(numbers, {6}), true);
  const Variable y = log_cosh(x);
  sum(y).backward();
  print("value", y.value().to_doubles());
  print("gradient", x.grad().to_doubles());
  const double error = largest_error(numbers, x.grad().to_doubles());
  const bool agrees = error <= 1e-9;
  std::printf("The gradient %s central differences.\n", agrees ? "agrees with" : "differs from");
  return agrees ? 0 : 1;
}
