// Marks a function for both the host's compiler and nvcc, and makes the overloaded math functions visible in
// the namespace of the formulas (on the host, the global ::exp exists only for double).
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
