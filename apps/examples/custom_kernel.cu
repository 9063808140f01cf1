// A custom operation implemented with CUDA kernels: log(cosh(x)) and its derivative, tanh(x). The kernels run
// on the current stream, like gpuvae's own, so no synchronisation is needed.
//
// Prints:
//   value    1.3250 0.4338 0.0000 0.1201 0.4338 2.3093
//   gradient -1.9281 -1.5232 0.0000 0.9242 1.5232 1.9901
//
// Exit status: 0, 1 if an error occurred, 77 if there is no CUDA device.
#include <gpuvae/cuda.h>
#include <gpuvae/custom.h>
#include <gpuvae/ops.h>

#include <cstdio>
#include <vector>

namespace {

using namespace gpuvae;

__global__ void log_cosh_forward(const float* x, float* y, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) y[i] = fabsf(x[i]) + log1pf(expf(-2 * fabsf(x[i]))) - 0.69314718f;
}

__global__ void log_cosh_backward(const float* x, const float* d_y, float* d_x, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) d_x[i] = tanhf(x[i]) * d_y[i];
}

constexpr int kThreads = 128;
int blocks_for(const Tensor& x) { return static_cast<int>((x.elements() + kThreads - 1) / kThreads); }

void check_launch(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw Error(kernel, cudaGetErrorString(error), ErrorKind::cuda);
}

Variable log_cosh(const Variable& x) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  log_cosh_forward<<<blocks_for(y), kThreads, 0, cuda_stream(Stream::current(y.device()))>>>(
      x.value().data_as<float>(), y.data_as<float>(), static_cast<int>(y.elements()));
  check_launch("log_cosh");
  const auto backward = [](const Tensor& d_y, const CustomContext& context) {
    const Tensor& saved_x = context.saved(0);
    const Tensor d_x = Tensor::empty(saved_x.shape(), saved_x.dtype(), saved_x.device());
    log_cosh_backward<<<blocks_for(d_x), kThreads, 0, cuda_stream(Stream::current(d_x.device()))>>>(
        saved_x.data_as<float>(), d_y.data_as<float>(), d_x.data_as<float>(),
        static_cast<int>(d_x.elements()));
    check_launch("log_cosh");
    return std::vector<Tensor>{d_x};
  };
  return custom("log_cosh", {x}, y, backward, {x.value()});
}

void print(const char* what, const Tensor& values) {
  std::printf("%-8s", what);
  for (const float v : values.to_vector()) std::printf(" %.4f", static_cast<double>(v));
  std::printf("\n");
}

// Prints log(cosh(x)) and the gradient of the sum of 2 log(cosh(x)).
void run(Device device) {
  const std::vector<float> numbers = {-2, -1, 0, 0.5f, 1, 3};
  const Stream stream(device);
  const StreamGuard on(stream);
  const Variable x(Tensor::from(numbers, {6}, device), true);
  const Variable y = log_cosh(x);
  sum(2 * y).backward();
  print("value", y.value());
  print("gradient", x.grad());
}

}  // namespace

int main() {
  try {
    run(Device::cuda());
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return error.kind() == ErrorKind::unsupported ? 77 : 1;
  }
  return 0;
}
