// How tests set up the emulated device, and what it throws.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "ptx.h"

namespace emulator {

// A fault that only the emulator sees: a race, a deadlock, an access out of bounds, a wrong argument. The
// CUDA call that runs the kernel throws it: the launch itself where streams run at once, a later
// synchronisation otherwise.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What the environment variables PTX_* set before the first call (see tests/ptx/README.md).
struct Settings {
  ptx::Options kernels;
  bool overlap = false;  // programmatic dependent launches start as early as CUDA allows
  bool lazy_streams =
      false;  // a stream's work waits until somebody synchronises; streams then run in a random order
};
Settings settings();
// Finishes all streams first.
void set_settings(const Settings& settings);

// Sets settings for the life of an object.
class WithSettings {
 public:
  template <class Change>
  explicit WithSettings(Change change) : before_(settings()) {
    Settings changed = before_;
    change(changed);
    set_settings(changed);
  }
  ~WithSettings() { set_settings(before_); }
  WithSettings(const WithSettings&) = delete;
  WithSettings& operator=(const WithSettings&) = delete;

 private:
  Settings before_;
};

// Whether this process has a context on a device: memory of the GPU that nobody else can use.
bool has_context(int device);

}  // namespace emulator
