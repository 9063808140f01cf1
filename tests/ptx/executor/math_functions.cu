// Calls functions of the C++ library, to test the code that nvcc generates for them.

extern "C" __global__ void math_functions(const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  y[i] = expf(x[i]);
  y[n + i] = logf(fabsf(x[i]));
  y[2 * n + i] = tanhf(x[i]);
  y[3 * n + i] = sqrtf(fabsf(x[i]));
  y[4 * n + i] = sinf(x[i]);
  y[5 * n + i] = erff(x[i]);
  y[6 * n + i] = log1pf(fabsf(x[i]));
}
