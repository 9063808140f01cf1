// The one exception type of the library.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace gpuvae {

// what() reads "[operation] what was expected, what arrived".
class Error : public std::runtime_error {
 public:
  Error(std::string_view operation, std::string_view message)
      : std::runtime_error(std::string("[").append(operation).append("] ").append(message)) {}
};

}  // namespace gpuvae
