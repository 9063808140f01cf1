// The one exception type of the library.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gpuvae/language.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The kind of an error, which tells a program how to react.
enum class ErrorKind : std::uint8_t {
  invalid_argument,  // the call, its arguments or an option are wrong: change the program or the setting
  unsupported,       // this build, device or computer lacks what the call needs
  out_of_memory,     // the host or the device has no free memory left: a smaller batch may fit
  io,                // a file or folder is missing, unreadable, not writable, damaged or of the wrong kind
  cuda,              // CUDA or one of its libraries reported a failure
  not_finite,        // a loss, a gradient or a weight became infinite or not a number during training
};
// Returns the name: "invalid_argument", ...
[[nodiscard]] std::string_view name(ErrorKind kind);

// The exception that all functions of the library throw. The message has the form "[operation] expected X,
// got Y" where possible.
class Error : public std::runtime_error {
 public:
  // what() returns "[operation] message".
  Error(std::string_view operation, std::string_view message, ErrorKind kind = ErrorKind::invalid_argument)
      : std::runtime_error(std::string("[").append(operation).append("] ").append(message)), kind_(kind) {}

  // The kind of the error.
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace gpuvae
#pragma GCC visibility pop
