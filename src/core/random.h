// Public clocks and noise as kernels take them.
#pragma once

#include "gpuvae/random.h"
#include "kernels/noise.h"

namespace gpuvae {

// The results point into the tensors of their arguments, which must outlive the kernel's launch. Throw Error,
// with `operation` at its start, for tensors of another type, size or device.
kernels::Clock kernel_clock(const char* operation, const Clock& clock, Device device);
kernels::Noise kernel_noise(const char* operation, const Noise& noise, std::int64_t rows, Device device);

}  // namespace gpuvae
