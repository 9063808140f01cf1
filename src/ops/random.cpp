#include "src/core/random.h"

#include <cmath>

#include "src/ops/op.h"

namespace gpuvae {
namespace {

Tensor random(bool normal, Shape shape, const Noise& noise, double a, double b, DType dtype, Device device) {
  const kernels::Noise positions = kernel_noise("random", noise, shape.rows(), device);
  Tensor out = Tensor::empty(shape, dtype, device);
  ops::backend(out).random({dtype, normal, a, b, shape.rows(), shape.columns(), positions, out.data()},
                           ops::stream(out));
  return out;
}

void check_stddev(const char* operation, double mean, double stddev) {
  check(stddev >= 0 && std::isfinite(mean + stddev), operation,
        "expected a finite mean and a standard deviation of 0 or more, got {} and {}", mean, stddev);
}
void check_interval(const char* operation, double low, double high) {
  check(low <= high && std::isfinite(high - low), operation,
        "expected finite bounds low <= high, got {} and {}", low, high);
}

Tensor curand(bool normal, Shape shape, std::uint64_t seed, double a, double b, Device device) {
  check(!device.is_cpu(), unsupported("curand"), "expected a CUDA device, got {}", device);
  Tensor out = Tensor::empty(shape, DType::f32, device);
  ops::backend(out).curand({normal, a, b, out.elements(), seed, out.data_as<float>()}, ops::stream(out));
  return out;
}

}  // namespace

Tensor curand_normal(Shape shape, std::uint64_t seed, double mean, double stddev, Device device) {
  check_stddev("curand_normal", mean, stddev);
  return curand(true, shape, seed, mean, stddev, device);
}
Tensor curand_uniform(Shape shape, std::uint64_t seed, double low, double high, Device device) {
  check_interval("curand_uniform", low, high);
  return curand(false, shape, seed, low, high, device);
}

Tensor random_normal(Shape shape, const Noise& noise, double mean, double stddev, DType dtype,
                     Device device) {
  check_stddev("random_normal", mean, stddev);
  return random(true, shape, noise, mean, stddev, dtype, device);
}
Tensor random_uniform(Shape shape, const Noise& noise, double low, double high, DType dtype, Device device) {
  check_interval("random_uniform", low, high);
  return random(false, shape, noise, low, high, dtype, device);
}

}  // namespace gpuvae
