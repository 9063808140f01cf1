// Fits y = 2 x - 1 with the installed library.
#include <gpuvae/gpuvae.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  using namespace gpuvae;
  const std::vector<float> x = {-1, 0, 1, 2}, y = {-3, -1, 1, 3};
  Linear layer("line", 1, 1, Activation::identity, {}, Device::cpu());
  std::vector<Parameter> parameters;
  layer.collect(parameters);
  OptimizerOptions options = OptimizerOptions::defaults(OptimizerKind::adam);
  options.learning_rate = 0.05;
  Optimizer optimizer(parameters, options);
  for (int step = 0; step < 500; ++step) {
    optimizer.zero_grad();
    sum(square(subtract(layer(Tensor::from(x, {4, 1})), Tensor::from(y, {4, 1})))).backward();
    optimizer.step();
  }
  const double slope = layer.weight.value().item(), offset = layer.bias.value().item();
  std::printf("y = %.3f x + %.3f on %s\n", slope, offset, Device::best().text().c_str());
  return std::abs(slope - 2) < 1e-2 && std::abs(offset + 1) < 1e-2 ? 0 : 1;
}
