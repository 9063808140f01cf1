// Converts the public structs Clock and Noise to those of the kernels.
#pragma once

#include "gpuvae/random.h"
#include "kernels/noise.h"

namespace gpuvae {

// The results contain pointers into the argument's tensors, which must outlive the kernel launch. Both
// functions throw Error, with `operation` as its origin, if a tensor has the wrong dtype, size or device.
kernels::Clock kernel_clock(const char* operation, const Clock& clock, Device device);
kernels::Noise kernel_noise(const char* operation, const Noise& noise, std::int64_t rows, Device device);

}  // namespace gpuvae
