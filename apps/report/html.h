// The parts that self-contained HTML pages are made of.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gpuvae::apps {

// Escapes text between tags and attributes in double quotes.
std::string html_escaped(std::string_view text);

// The values as little-endian f32 in Base64 (plot::base64).
std::string base64(std::span<const float> values);

// `text` with every {{name}} replaced by its value. Names within values are not replaced. Throws Error if a
// name has no value.
std::string filled(std::string_view text,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> values);

// A complete page with the common style and the button for light and dark. `body` and `style` are HTML and
// CSS.
std::string html_page(std::string_view title, std::string_view subtitle, std::string_view style,
                      std::string_view body);

}  // namespace gpuvae::apps
