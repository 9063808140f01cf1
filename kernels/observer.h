// Observers of a backend; see Backend::set_observer().
#pragma once

#include <functional>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// One call of a kernel.
struct KernelCall {
  const char* name;  // the method of Backend, such as "gemm"
  double bytes;      // minimum number of bytes read and written
  double flops = 0;  // floating-point operations; only matrix products count them
};

// Interface of objects that count or time the kernel calls of a backend.
class KernelObserver {
 public:
  virtual ~KernelObserver() = default;
  // Called instead of the kernel. `run` starts the kernel; the observer must call it exactly once.
  virtual void call(const KernelCall& call, StreamHandle stream, const std::function<void()>& run) = 0;
};

}  // namespace gpuvae::kernels
