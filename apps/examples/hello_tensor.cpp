// Tensors, operators and gradients: the gradient of a sum of squares.
//
// Prints:
//   x        f32[2, 3] on cpu
//   y        1.00 4.00 9.00 16.00 25.00 36.00
//   rows     14.00 77.00
//   gradient 2.00 4.00 6.00 8.00 10.00 12.00
#include <gpuvae/ops.h>

#include <cstdio>
#include <vector>

using namespace gpuvae;

void print(const char* what, const Tensor& values) {
  std::printf("%-8s", what);
  for (const float v : values.to_vector()) std::printf(" %.2f", static_cast<double>(v));
  std::printf("\n");
}

int main() {
  const Device device = Device::cpu();  // Device::best() selects a GPU if there is one
  const Variable x(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}, device), true);
  std::printf("%-8s %s\n", "x", x.value().text().c_str());
  const Variable y = x * x;
  print("y", y.value());
  print("rows", sum(y, Axis::columns).value());
  sum(y).backward();
  print("gradient", x.grad());
}
