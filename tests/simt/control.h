// What a test may say to the SIMT runtime, and what the runtime throws.
#pragma once

#include <cstdint>
#include <stdexcept>

namespace simt {

// Whatever only the runtime can find: a race, a deadlock, an access out of bounds. Thrown on the host's stack
// by the CUDA call that ran the kernel: the launch itself under seed 0, a later synchronisation under any
// other.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 0: threads and blocks run in ascending order, streams at once. Any other value: a repeatable random order,
// and a stream's work stays undone until somebody waits for it. The environment variable SIMT_SEED sets the
// first one.
void set_seed(std::uint64_t seed);
std::uint64_t seed();

}  // namespace simt
