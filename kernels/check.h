// Formatted errors for every layer: fail("linear", "expected {}, got {}", a, b).
#pragma once

#include <fmt/format.h>

#include "gpuvae/error.h"

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
