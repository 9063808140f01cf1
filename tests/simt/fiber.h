// A CUDA thread is a fiber: a stack of its own, continued and suspended by the one OS thread that runs the
// kernel.
#pragma once

#include <cstddef>

namespace simt::detail {

class Fiber {
 public:
  bool started() const { return stack_ != nullptr; }
  void resume(void (*entry)());  // called by the host: starts at `entry`, later continues
  void suspend();                // called on the fiber: back to the host
  void release();                // the stack may serve another fiber; nothing on it is destroyed

  static void entered();                     // the first thing `entry` calls
  static void leave_for_good();              // and the last
  static bool on_some_stack(const void* p);  // inside any fiber's stack

 private:
  char* stack_ = nullptr;
  void* sp_ = nullptr;
  void* fake_stack_ = nullptr;  // ASan's
};

}  // namespace simt::detail
