// Text of a file or of the user inside messages.
#pragma once

#include <string>
#include <string_view>

namespace gpuvae::io {

// Replaces control characters, so that a message stays on one line and a file cannot control the terminal.
std::string printable(std::string_view text);

}  // namespace gpuvae::io
