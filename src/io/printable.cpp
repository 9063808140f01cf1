#include "src/io/printable.h"

#include <algorithm>

namespace gpuvae::io {

std::string printable(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result, [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
  return result;
}

}  // namespace gpuvae::io
