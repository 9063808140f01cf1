// Marks a function for both the host's compiler and nvcc, and brings the overloaded math functions into the
// namespace of the formulas (the global ::exp is double's alone on the host).
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define GPUVAE_HD __host__ __device__ inline
#else
#define GPUVAE_HD inline
#endif

namespace gpuvae::math {
using std::erfc;
using std::exp;
using std::expm1;
using std::fabs;
using std::fmax;
using std::fmin;
using std::log;
using std::log1p;
using std::sqrt;
using std::tanh;
}  // namespace gpuvae::math
