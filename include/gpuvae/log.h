// Messages for the log of a program: what the library decided by itself, such as the executor of a training
// run or a rewind. Without a callback they are dropped: the library never writes to the standard output or
// to the standard error stream. Errors are exceptions, not messages.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "gpuvae/language.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The importance of a message.
enum class LogLevel : std::uint8_t {
  debug,    // details, such as each allocation from the system
  info,     // decisions, such as the executor of a training run
  warning,  // something did not go as planned, and the library went on
};
// Returns the name: "debug", "info", "warning".
[[nodiscard]] std::string_view name(LogLevel level);

// A message. The texts are valid only during the call of the callback.
struct LogMessage {
  LogLevel level = LogLevel::info;  // importance
  std::string_view operation;       // the part of the library that reports, as in errors: "train"
  std::string_view text;            // one line without a line break at its end
};

// Receives messages. Several threads may call it at the same time. It may call the library, and it must not
// block for long. Its exceptions are dropped, so that a log does not change what the program computes.
using LogCallback = std::function<void(const LogMessage&)>;

// Makes `callback` receive all messages of the process from level `lowest` upwards, instead of the previous
// callback; an empty one receives none. Any thread may call this function at any time. A call of the previous
// callback may still run in another thread when it returns. Throws Error if `lowest` is no level.
void set_log_callback(LogCallback callback, LogLevel lowest = LogLevel::info);

}  // namespace gpuvae
#pragma GCC visibility pop
