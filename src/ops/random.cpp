#include "src/ops/op.h"

namespace gpuvae {
namespace {

Tensor random(bool normal, Shape shape, const Noise& noise, double a, double b, DType dtype, Device device) {
  Tensor out = Tensor::empty(shape, dtype, device);
  ops::backend(out).random({dtype, normal, a, b, shape.rows(), shape.columns(), noise, out.data()},
                           ops::stream(out));
  return out;
}

}  // namespace

Tensor random_normal(Shape shape, const Noise& noise, double mean, double deviation, DType dtype,
                     Device device) {
  return random(true, shape, noise, mean, deviation, dtype, device);
}
Tensor random_uniform(Shape shape, const Noise& noise, double low, double high, DType dtype, Device device) {
  return random(false, shape, noise, low, high, dtype, device);
}

}  // namespace gpuvae
