// A program with custom CUDA kernels that shares a stream with gpuvae: its first kernel fills a tensor,
// gpuvae computes a layer and its gradient, and its second kernel reads the layer's output. The exit status
// is 0 if the numbers are right, 1 if they are wrong or an error occurred, and 77 if there is no CUDA device.
#include <gpuvae/cuda.h>
#include <gpuvae/gpuvae.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

namespace {

using namespace gpuvae;

constexpr int kRows = 33, kIn = 70, kOut = 5;

// All products are small multiples of 1/64, so that f32 sums are exact in any order.
__host__ __device__ float input(int i) { return 0.25f * static_cast<float>(i % 11) - 1.25f; }
float weight(int i) { return 0.0625f * static_cast<float>(i % 13) - 0.25f; }
float bias(int i) { return 0.5f * static_cast<float>(i) - 1; }

__global__ void fill_input(float* x, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] = input(i);
}

// Sums each row with one thread.
__global__ void sum_of_row(const float* y, float* sums, int rows, int columns) {
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (row >= rows) return;
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += y[row * columns + j];
  sums[row] = sum;
}

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

struct Expected {
  std::vector<double> row_sums, weight_gradient;
};

// Returns the row sums of y = relu(x w^T + b), and the gradient of sum(y) with respect to w.
Expected expected() {
  Expected result{std::vector<double>(kRows), std::vector<double>(kOut * kIn)};
  for (int row = 0; row < kRows; ++row)
    for (int j = 0; j < kOut; ++j) {
      double y = bias(j);
      for (int k = 0; k < kIn; ++k) y += static_cast<double>(input(row * kIn + k)) * weight(j * kIn + k);
      if (y <= 0) continue;
      result.row_sums[row] += y;
      for (int k = 0; k < kIn; ++k) result.weight_gradient[j * kIn + k] += input(row * kIn + k);
    }
  return result;
}

std::vector<float> values(int count, float (*value)(int)) {
  std::vector<float> result(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) result[static_cast<std::size_t>(i)] = value(i);
  return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (!(std::abs(a[i] - b[i]) <= largest)) largest = std::abs(a[i] - b[i]);
  return largest;
}

// Runs everything on the current stream of `device`; nothing synchronises before the results are read.
bool right_on_current_stream(Device device, const char* name) {
  const Variable w(Tensor::from(values(kOut * kIn, weight), {kOut, kIn}, device), true);
  const Tensor b = Tensor::from(values(kOut, bias), {kOut}, device);
  const Tensor x = Tensor::empty({kRows, kIn}, DType::f32, device);
  const Tensor sums = Tensor::empty({kRows}, DType::f32, device);
  const cudaStream_t stream = cuda_stream(Stream::current(device));

  fill_input<<<(kRows * kIn + 127) / 128, 128, 0, stream>>>(x.data_as<float>(), kRows * kIn);
  check(cudaGetLastError(), "fill_input");
  const Variable y = linear(x, w, b, Activation::relu);
  sum(y).backward();
  sum_of_row<<<1, 64, 0, stream>>>(y.value().data_as<float>(), sums.data_as<float>(), kRows, kOut);
  check(cudaGetLastError(), "sum_of_row");

  const Expected right = expected();
  const double forward = largest_difference(sums.to_doubles(), right.row_sums);
  const double backward = largest_difference(w.grad().to_doubles(), right.weight_gradient);
  std::printf("%s on %s: errors %g (output), %g (gradient)\n", name, device.text().c_str(), forward,
              backward);
  return forward <= 1e-6 && backward <= 1e-6;
}

bool right_on_both_streams(Device device) {
  bool right = right_on_current_stream(device, "gpuvae's stream");
  cudaStream_t mine = nullptr;
  check(cudaStreamCreateWithFlags(&mine, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  {
    const StreamGuard on(wrap_stream(mine));
    right = cuda_stream(Stream::current(device)) == mine &&
            right_on_current_stream(device, "the program's stream") && right;
  }
  check(cudaStreamDestroy(mine), "cudaStreamDestroy");
  return right;
}

}  // namespace

int main() {
  Device device = Device::cpu();
  try {
    device = Device::cuda();
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return 77;
  }
  try {
    return right_on_both_streams(device) ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
}
