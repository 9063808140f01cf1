// The devices on which a test runs.
#pragma once

#include <vector>

#include "gpuvae/device.h"

namespace gpuvae::test {

// The CPU and, on a machine with a GPU, the first GPU.
inline std::vector<Device> devices() {
  std::vector<Device> all{Device::cpu()};
  if (Device::cuda_count() > 0) all.push_back(Device::cuda());
  return all;
}

}  // namespace gpuvae::test
