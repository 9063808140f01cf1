// How calls of the library share the Python interpreter: other threads run Python code while the library
// computes, and the interpreter waits for the library before it exits.
#pragma once

#include <chrono>

namespace gpuvae::python {

// Releases the GIL for the time of a call of the library, and delivers the messages of the log afterwards.
// While such an object exists, the interpreter does not finalise: prepare_exit() waits for its end. Throws
// Error if the interpreter is already exiting.
class LibraryCall {
 public:
  LibraryCall();
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;

 private:
  void* thread_state_;
};

// Runs when the interpreter begins to exit, with the GIL held: refuses new calls of the library, and waits
// for those of daemon threads. A thread that needed the GIL after finalisation would be ended inside C++
// code, which aborts the process.
void prepare_exit();

// Runs in the child of a fork, where the threads that are in calls of the library do not exist.
void forget_other_threads();

// Asks Python from time to time, within a LibraryCall, whether a signal such as Ctrl-C arrived, and delivers
// the messages of the log.
class SignalCheck {
 public:
  // Returns whether training must stop because the interpreter exits. Throws the exception of a signal
  // handler, such as KeyboardInterrupt, as nb::python_error. It takes the GIL at most 20 times per second.
  bool operator()();

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace gpuvae::python
