// GPUVAE_HD marks a function for the host and, under nvcc, also for the device. The using-declarations make
// the overloads of <cmath> visible in the namespace of the formulas, because the global ::exp of the host
// exists only for double.
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
