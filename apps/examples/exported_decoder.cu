// A trained decoder inside a kernel that needs no gpuvae. arc.h was written by `vae export`: a model with one
// latent dimension that learned the points of a half circle of radius 10. Each thread decodes one code and
// converts the result to the units of the training data.
//
// Prints:
//   z -2.0  x  10.00  y   0.55  radius 10.01
//   z -1.0  x   8.28  y   5.54  radius  9.96
//   z  0.0  x  -0.43  y   9.95  radius  9.96
//   z  1.0  x  -8.38  y   5.57  radius 10.06
//   z  2.0  x -10.04  y   0.79  radius 10.08
//
// Exit status: 0, 1 if an error occurred, 77 if there is no CUDA device.
#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>

#include "arc.h"

namespace {

constexpr int kCodes = 5;

__global__ void decode_codes(const float* z, double* points) {
  const int i = static_cast<int>(threadIdx.x);
  float mean[arc_features];
  arc_decode(z + i * arc_latent, mean);
  arc_unscale(mean, points + i * arc_features);
}

// Returns whether a call succeeded, and prints the reason if not.
bool succeeded(const char* call, cudaError_t error) {
  if (error != cudaSuccess) std::printf("%s: %s\n", call, cudaGetErrorString(error));
  return error == cudaSuccess;
}

bool run() {
  const float codes[kCodes] = {-2, -1, 0, 1, 2};
  double points[kCodes * arc_features];
  float* z = nullptr;
  double* decoded = nullptr;
  if (!succeeded("cudaMalloc", cudaMalloc(&z, sizeof codes)) ||
      !succeeded("cudaMalloc", cudaMalloc(&decoded, sizeof points)) ||
      !succeeded("cudaMemcpy", cudaMemcpy(z, codes, sizeof codes, cudaMemcpyHostToDevice)))
    return false;
  decode_codes<<<1, kCodes>>>(z, decoded);
  if (!succeeded("decode_codes", cudaGetLastError()) ||
      !succeeded("cudaMemcpy", cudaMemcpy(points, decoded, sizeof points, cudaMemcpyDeviceToHost)))
    return false;
  for (int i = 0; i < kCodes; ++i) {
    const double x = points[2 * i], y = points[2 * i + 1];
    std::printf("z %4.1f  x %6.2f  y %6.2f  radius %5.2f\n", static_cast<double>(codes[i]), x, y,
                std::sqrt(x * x + y * y));
  }
  cudaFree(z);
  cudaFree(decoded);
  return true;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("no CUDA device\n");
    return 77;
  }
  return run() ? 0 : 1;
}
