// Messages of errors, for tests that compare them.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>

namespace gpuvae::test {

// Returns the message of the exception that `body` throws, or "no error" if it throws none.
template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

inline void expect_start(const std::string& message, const std::string& start) {
  EXPECT_EQ(message.substr(0, start.size()), start) << message;
}

}  // namespace gpuvae::test
