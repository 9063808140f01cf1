// Random numbers by NVIDIA's cuRAND, whose host API is loaded when it is first used.
#pragma once

#include <curand.h>

#include <mutex>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Thread-safe. One generator (Philox4x32-10) per device, created with the first numbers that are drawn on the
// current device.
class Curand {
 public:
  Curand() = default;
  ~Curand();
  Curand(const Curand&) = delete;
  Curand& operator=(const Curand&) = delete;

  // Fills `out`, which is aligned to 16 bytes. Normal numbers come in pairs, so `count` of them must be even.
  // Uniform numbers are in (0, 1], whatever args.a and args.b are.
  void draw(const CurandArgs& args, float* out, std::int64_t count, StreamHandle stream);

 private:
  std::mutex mutex_;
  curandGenerator_t generator_ = nullptr;
};

}  // namespace gpuvae::kernels
