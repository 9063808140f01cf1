// The architectures for which the kernels of this build were compiled, written as 10 * major + minor.
#pragma once

#include <string>

namespace gpuvae::kernels {

// The first architectures with tensor cores for TF32 and with programmatic dependent launch. Kernels for
// older architectures have no code for the feature: fused kernels are empty, and wait_for_predecessor()
// returns at once.
inline constexpr int kFirstWithTensorFloats = 80, kFirstWithDependentLaunch = 90;

// Returns the architecture of the kernels that run on the current device, or 0 if the build has none for it.
// For PTX that the driver compiles for a newer device, this is the architecture of the PTX.
int kernel_architecture();

// Returns the architectures of this build, for example "7.5, 8.0, 9.0".
std::string built_architectures();

// Returns the name of an architecture, for example "7.5".
std::string architecture_name(int architecture);

}  // namespace gpuvae::kernels
