// Converts public clocks and noise to those of the kernels.
#pragma once

#include "gpuvae/random.h"
#include "kernels/noise.h"

namespace gpuvae {

// The results point into the tensors of their arguments, which must outlive the kernel's launch. Both
// functions throw Error with the name `operation` if a tensor has another type, size or device.
kernels::Clock kernel_clock(const char* operation, const Clock& clock, Device device);
kernels::Noise kernel_noise(const char* operation, const Noise& noise, std::int64_t rows, Device device);

}  // namespace gpuvae
