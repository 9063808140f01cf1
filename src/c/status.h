// Turns exceptions into statuses and keeps the message of each thread's last failed call.
#pragma once

#include <exception>
#include <stdexcept>
#include <utility>

#include "gpuvae/c.h"

namespace gpuvae::c {

// Thrown in place of the exception that a callback let escape, with that exception's text.
class CallbackError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Stores the message of the exception that is being handled, and returns its status.
gpuvae_status record_exception(const char* operation) noexcept;

// Runs the body of a C function.
template <class Work>
gpuvae_status guarded(const char* operation, Work&& work) noexcept {
  try {
    std::forward<Work>(work)();
    return GPUVAE_OK;
  } catch (...) {
    return record_exception(operation);
  }
}

}  // namespace gpuvae::c
