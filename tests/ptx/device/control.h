// Settings of the emulated device for tests, and the error that it throws.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "ptx.h"

namespace emulator {

// Reports a fault that only the emulator detects: a race, a deadlock, an access out of bounds, a wrong
// argument. The CUDA call that runs the kernel throws it: the launch itself if streams run at once, a later
// synchronisation otherwise.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Settings, initialised from the environment variables PTX_* before the first call (see tests/ptx/README.md).
struct Settings {
  ptx::Options kernels;
  bool overlap = false;  // programmatic dependent launches start as early as CUDA allows
  // Streams run nothing until the host synchronises. Their work is then interleaved in a random order.
  bool lazy_streams = false;
  // The number (from 1) of the CUDA call at which the device fails, counted since the settings were set; 0:
  // never. This call and every later one that needs the device return cudaErrorIllegalAddress, until the
  // settings change.
  std::uint64_t fault_at_call = 0;
};
Settings settings();
// Finishes all streams before the settings change.
void set_settings(const Settings& settings);

// Changes the settings for the lifetime of this object and then restores them.
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

// Returns whether this process has created a context on a device. Tests use it because an unwanted context
// occupies memory of that GPU.
bool has_context(int device);

}  // namespace emulator
