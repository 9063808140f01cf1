// Numbers of things in messages: "1 row", "2 rows", "1 class", "2 classes".
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gpuvae {

// The plural of `noun` must be noun + "s", or noun + "es" if it ends in "s".
inline std::string counted(std::int64_t count, std::string_view noun) {
  const char* ending = count == 1 ? "" : noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, ending);
}

}  // namespace gpuvae
