// Another backend in the place of a device's own: one that counts or times what is asked of it.
#pragma once

#include "gpuvae/device.h"
#include "kernels/backend.h"

namespace gpuvae {

// While it lives, device.backend() is `replacement`, on every thread. Made and destroyed while nothing else
// uses the device.
class BackendGuard {
 public:
  BackendGuard(Device device, kernels::Backend& replacement);
  ~BackendGuard();
  BackendGuard(const BackendGuard&) = delete;
  BackendGuard& operator=(const BackendGuard&) = delete;

 private:
  Device device_;
  kernels::Backend* previous_;
};

}  // namespace gpuvae
