// Which architectures the kernels of this build were compiled for, written as 10 * major + minor.
#pragma once

#include <string>

namespace gpuvae::kernels {

// Kernels below these have no code for the feature: fused kernels are empty, and
// wait_for_predecessor() returns at once.
inline constexpr int kFirstWithTensorFloats = 80, kFirstWithDependentLaunch = 90;

// The architecture of the kernels that run on the current device; 0 if the build has none for it. PTX that
// the driver compiles for a newer device keeps the architecture that it was written for.
int kernel_architecture();

// "7.5, 8.0, 9.0"
std::string built_architectures();

// "7.5"
std::string architecture_name(int architecture);

}  // namespace gpuvae::kernels
