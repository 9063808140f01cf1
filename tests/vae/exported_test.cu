// Calls exported functions in kernels, one thread per row.
#include "exported_test.h"

#include <cuda_runtime.h>

#include <stdlib.h>
#include <vector>

namespace {

void check_cuda(const char* call, cudaError_t error) {
  if (error == cudaSuccess) return;
  printf("FAILED: %s: %s\n", call, cudaGetErrorString(error));
  exit(1);
}

// Device memory that starts as a copy of `values`, if there are any.
struct DeviceArray {
  explicit DeviceArray(int count, const float* values = nullptr) : size(count) {
    check_cuda("cudaMalloc", cudaMalloc(&data, bytes()));
    if (values) check_cuda("cudaMemcpy", cudaMemcpy(data, values, bytes(), cudaMemcpyHostToDevice));
  }
  ~DeviceArray() { cudaFree(data); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  std::vector<float> host() const {
    std::vector<float> values(static_cast<std::size_t>(size));
    check_cuda("cudaMemcpy", cudaMemcpy(values.data(), data, bytes(), cudaMemcpyDeviceToHost));
    return values;
  }
  std::size_t bytes() const { return static_cast<std::size_t>(size) * sizeof(float); }

  int size;
  float* data = nullptr;
};

#define KERNEL(m)                                                                                        \
  __global__ void m##_kernel(const float* x, const float* z, float* mean, float* stddev, float* decoded, \
                             float* params) {                                                            \
    const int r = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);                               \
    if (r >= EXPORTED_ROWS) return;                                                                      \
    m##_encode(x + r * m##_features, mean + r * m##_latent, stddev + r * m##_latent);                    \
    m##_decode(z + r * m##_latent, decoded + r * m##_features);                                          \
    m##_decode_params(z + r * m##_latent, params + r * m##_params);                                      \
  }
EXPORTED_MODELS(KERNEL)

#define CHECK_MODEL(m)                                                                         \
  {                                                                                            \
    const DeviceArray x(EXPORTED_ROWS* m##_features, m##_test_x);                              \
    const DeviceArray z(EXPORTED_ROWS* m##_latent, m##_test_z);                                \
    const DeviceArray mean(EXPORTED_ROWS*m##_latent), stddev(EXPORTED_ROWS*m##_latent);        \
    const DeviceArray decoded(EXPORTED_ROWS*m##_features), params(EXPORTED_ROWS*m##_params);   \
    m##_kernel<<<2, 32>>>(x.data, z.data, mean.data, stddev.data, decoded.data, params.data);  \
    check_cuda(#m, cudaGetLastError());                                                        \
    const std::vector<float> means = mean.host();                                              \
    std::vector<float> draws = stddev.host();                                                  \
    for (std::size_t i = 0; i < draws.size(); ++i) draws[i] += means[i];                       \
    compare(#m, "mean", means.data(), m##_test_mean, mean.size);                               \
    compare(#m, "draw", draws.data(), m##_test_draw, stddev.size);                             \
    compare(#m, "decoded", decoded.host().data(), m##_test_decoded, decoded.size);             \
    compare(#m, "decoded params", params.host().data(), m##_test_decoded_params, params.size); \
  }

#define UNIT_KERNEL(m)                                     \
  __global__ void m##_unit_kernel(double* row, float* x) { \
    m##_scale(row, x);                                     \
    m##_unscale(x, row);                                   \
  }
EXPORTED_UNITS(UNIT_KERNEL)

// Scales and unscales the first row.
#define CHECK_UNITS(m)                                                                                 \
  {                                                                                                    \
    const DeviceArray x(m##_features), row(2 * m##_features);                                          \
    check_cuda("cudaMemcpy", cudaMemcpy(row.data, m##_test_row, row.bytes(), cudaMemcpyHostToDevice)); \
    m##_unit_kernel<<<1, 1>>>(reinterpret_cast<double*>(row.data), x.data);                            \
    check_cuda(#m, cudaGetLastError());                                                                \
    compare(#m, "scaled", x.host().data(), m##_test_scaled, x.size);                                   \
    double back[m##_features];                                                                         \
    check_cuda("cudaMemcpy", cudaMemcpy(back, row.data, row.bytes(), cudaMemcpyDeviceToHost));         \
    for (int i = 0; i < m##_features; ++i)                                                             \
      if (!(fabs(back[i] - m##_test_unscaled[i]) <= 1e-15 * fabs(m##_test_unscaled[i]))) {             \
        printf("FAILED: %s: expected %.17g, got %.17g\n", #m, m##_test_unscaled[i], back[i]);          \
        ++failures;                                                                                    \
      }                                                                                                \
  }

}  // namespace

int main() {
  EXPORTED_MODELS(CHECK_MODEL)
  EXPORTED_UNITS(CHECK_UNITS)
  printf("%d failures\n", failures);
  return failures > 0;
}
