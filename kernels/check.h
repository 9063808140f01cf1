// Formatted errors for every layer: fail("linear", "expected {}, got {}", a, b).
#pragma once

#include <fmt/format.h>

#include <string>

#include "gpuvae/error.h"

// A formatter for every type with a text() member, such as Shape. check() formats its arguments only if the
// check fails, so pass it the shape and not shape.text().
template <class T>
requires requires(const T& t) { std::string(t.text()); }
struct fmt::formatter<T> : fmt::formatter<std::string> {
  auto format(const T& t, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(t.text(), context);
  }
};

namespace gpuvae {

// The operation that an error message names in brackets, and the kind of the error.
struct Origin {
  // Conversions from names are implicit, because most errors have the default kind.
  Origin(const char* name) : operation(name) {}         // NOLINT
  Origin(std::string_view name) : operation(name) {}    // NOLINT
  Origin(const std::string& name) : operation(name) {}  // NOLINT
  Origin(std::string_view name, ErrorKind kind_of_error) : operation(name), kind(kind_of_error) {}

  std::string_view operation;
  ErrorKind kind = ErrorKind::invalid_argument;
};

inline Origin file_error(std::string_view operation) { return {operation, ErrorKind::io}; }
inline Origin unsupported(std::string_view operation) { return {operation, ErrorKind::unsupported}; }

template <class... Args>
[[noreturn]] void fail(Origin origin, fmt::format_string<Args...> message, Args&&... args) {
  throw Error(origin.operation, fmt::format(message, std::forward<Args>(args)...), origin.kind);
}

template <class... Args>
void check(bool condition, Origin origin, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    fail(origin, message, std::forward<Args>(args)...);
}

}  // namespace gpuvae
