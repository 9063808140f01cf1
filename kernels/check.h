// Formatted errors for every layer: fail("linear", "expected {}, got {}", a, b).
#pragma once

#include <fmt/format.h>

#include <string>

#include "gpuvae/error.h"

// What has a text() is formatted as that, and only when something failed: give check() the shape, not its
// text.
template <class T>
requires requires(const T& t) { std::string(t.text()); }
struct fmt::formatter<T> : fmt::formatter<std::string> {
  auto format(const T& t, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(t.text(), context);
  }
};

namespace gpuvae {

template <class... Args>
[[noreturn]] void fail(std::string_view operation, fmt::format_string<Args...> message, Args&&... args) {
  throw Error(operation, fmt::format(message, std::forward<Args>(args)...));
}

template <class... Args>
void check(bool condition, std::string_view operation, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    fail(operation, message, std::forward<Args>(args)...);
}

}  // namespace gpuvae
