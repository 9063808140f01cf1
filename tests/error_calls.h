// Lists of calls that must throw Error.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gpuvae/error.h"

namespace gpuvae::test {

struct Call {
  std::string name;
  std::function<void()> run;
};

// Calls a function and drops its result.
template <class F>
std::function<void()> call(F f) {
  return [f = std::move(f)] { static_cast<void>(f()); };
}

// Expects that each call throws Error with a message "[operation] ...", and no other exception.
inline void expect_errors(const std::vector<Call>& calls) {
  for (const auto& [name, run] : calls) {
    SCOPED_TRACE(name);
    try {
      run();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.what()[0], '[') << error.what();
    } catch (const std::exception& other) {
      ADD_FAILURE() << "another exception: " << other.what();
    }
  }
}

}  // namespace gpuvae::test
