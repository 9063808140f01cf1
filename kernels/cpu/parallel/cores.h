// The number of processors that this process may use.
#pragma once

#include <filesystem>

namespace gpuvae::kernels {

// Returns the number of logical processors in the calling thread's affinity mask, limited by the CPU quota of
// the process's control group (version 1 or 2) rounded down; at least 1. `root` replaces / in tests.
int usable_processors(const std::filesystem::path& root = "/");

}  // namespace gpuvae::kernels
