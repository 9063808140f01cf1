// Text of files and of the command line: its parts, and its form in messages.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace gpuvae::apps {

// Replaces line breaks and other control characters by spaces, because each message is one line.
inline std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, ' ');
  return text;
}

// Returns the parts of a text between separators: "8," has the parts "8" and "". An empty text has none.
inline std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.empty()) parts.emplace_back();
  }
  return parts;
}

}  // namespace gpuvae::apps
