// A hook for the second of two runs whose results must be bitwise equal. The emulated device changes the
// order of its warps and blocks for this run, which reveals results that depend on the order. On a real
// device, nothing changes.
#pragma once

#include <functional>

namespace gpuvae {

inline std::function<void(bool begins)>& on_second_run() {
  static std::function<void(bool)> hook;
  return hook;
}

// Marks the second run, until the end of the scope.
struct SecondRun {
  SecondRun() {
    if (on_second_run()) on_second_run()(true);
  }
  ~SecondRun() {
    if (on_second_run()) on_second_run()(false);
  }
  SecondRun(const SecondRun&) = delete;
  SecondRun& operator=(const SecondRun&) = delete;
};

}  // namespace gpuvae
