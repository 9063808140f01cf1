// Random numbers from NVIDIA's cuRAND, whose host API is loaded when it is first used.
#pragma once

#include <curand.h>

#include <mutex>

#include "kernels/backend.h"

namespace gpuvae::kernels {

// Thread-safe. Each object has one generator (Philox4x32-10), which is created on the current device when
// numbers are first drawn.
class Curand {
 public:
  Curand() = default;
  ~Curand();
  Curand(const Curand&) = delete;
  Curand& operator=(const Curand&) = delete;

  // Fills `out`, which must be aligned to 16 bytes. For normal numbers `count` must be even, because cuRAND
  // draws them in pairs. Uniform numbers are in (0, 1], whatever args.a and args.b are.
  void draw(const CurandArgs& args, float* out, std::int64_t count, StreamHandle stream);

 private:
  std::mutex mutex_;
  curandGenerator_t generator_ = nullptr;
};

}  // namespace gpuvae::kernels
