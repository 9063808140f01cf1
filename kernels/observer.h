// Observers of a backend, which count or time the kernels that it starts; see Backend::set_observer().
#pragma once

#include <functional>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// One call of a kernel.
struct KernelCall {
  const char* name;  // name of the method of Backend
  double bytes;      // minimum number of bytes read and written
  double flops = 0;  // of matrix products only
};

class KernelObserver {
 public:
  virtual ~KernelObserver() = default;
  // Replaces the call. `run` starts the kernel and must be called exactly once.
  virtual void call(const KernelCall& call, StreamHandle stream, const std::function<void()>& run) = 0;
};

}  // namespace gpuvae::kernels
