// Text of files and of the command line in messages, each of which is one line.
#pragma once

#include <algorithm>
#include <string>

namespace gpuvae::apps {

// Replaces line breaks and other control characters by spaces.
inline std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, ' ');
  return text;
}

}  // namespace gpuvae::apps
