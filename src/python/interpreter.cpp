#include "src/python/interpreter.h"

#include <nanobind/nanobind.h>

#include <atomic>
#include <thread>

#include "gpuvae/error.h"
#include "src/python/log.h"

namespace gpuvae::python {
namespace {

std::atomic<bool> exiting = false;
std::atomic<int> running = 0;

}  // namespace

LibraryCall::LibraryCall() {
  // Both run with the GIL held, so that prepare_exit() sees this call, or this call sees prepare_exit().
  if (exiting) throw Error("python", "the interpreter is exiting", ErrorKind::unsupported);
  ++running;
  thread_state_ = PyEval_SaveThread();
}

LibraryCall::~LibraryCall() {
  PyEval_RestoreThread(static_cast<PyThreadState*>(thread_state_));
  // Before the count falls, so that the interpreter waits for a callback of a daemon thread.
  if (!exiting) deliver_messages();
  --running;
}

void prepare_exit() {
  exiting = true;
  deliver_messages();
  stop_log();
  const nanobind::gil_scoped_release released;
  while (running > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void forget_other_threads() {
  running = 0;
  renew_log();
}

bool SignalCheck::operator()() {
  constexpr std::chrono::milliseconds kPeriod{50};
  if (exiting) return true;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kPeriod) return false;
  last_ = now;
  const nanobind::gil_scoped_acquire acquired;
  if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
  deliver_messages();
  return false;
}

}  // namespace gpuvae::python
