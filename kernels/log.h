// Sends messages to the callback of gpuvae/log.h:
//   log_message(LogLevel::info, "train", "executor {}", text);
// Never call this with a lock held, because the callback may call the library.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "gpuvae/log.h"
#include "kernels/check.h"

namespace gpuvae {

// Returns whether a callback receives messages of this level. It costs one atomic load.
bool is_logged(LogLevel level) noexcept;
// Calls the callback.
void send_log(LogLevel level, std::string_view operation, std::string_view text);

// Formats a message and sends it if anybody receives it. A failure is dropped, so that a log never changes
// what a program does.
template <class... Args>
void log_message(LogLevel level, std::string_view operation, fmt::format_string<Args...> message,
                 Args&&... args) noexcept {
  if (!is_logged(level)) [[likely]]
    return;
  try {
    send_log(level, operation, fmt::format(message, std::forward<Args>(args)...));
  } catch (...) {
  }
}

}  // namespace gpuvae
