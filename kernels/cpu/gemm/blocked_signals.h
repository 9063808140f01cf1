// Protects oneDNN's products from signals.
#pragma once

#include <signal.h>

namespace gpuvae::kernels {

// Blocks the signals of the calling thread while it exists, except those that report a fault of the thread
// itself. Some of oneDNN's kernels (2.6, products of f32 matrices) use the stack pointer for a buffer on the
// heap, so the frame of a signal handler would overwrite the memory before that buffer.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
      sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace gpuvae::kernels
