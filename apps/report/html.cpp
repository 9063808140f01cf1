#include "apps/report/html.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "apps/plot/svg.h"
#include "apps/report/pages/pages.h"
#include "kernels/check.h"

namespace gpuvae::apps {

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string base64(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  return plot::base64(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
}

std::string filled(std::string_view text,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  std::string result;
  for (std::size_t at = 0;;) {
    const std::size_t open = text.find("{{", at), close = text.find("}}", open);
    result += text.substr(at, open - at);
    if (close == std::string_view::npos) return result;
    const std::string_view name = text.substr(open + 2, close - open - 2);
    const auto* value = std::ranges::find(values, name, [](const auto& pair) { return pair.first; });
    check(value != values.end(), "page", "expected a value for each name, got none for {}", name);
    result += value->second;
    at = close + 2;
  }
}

std::string html_page(std::string_view title, std::string_view subtitle, std::string_view style,
                      std::string_view body) {
  std::string styles(pages::theme_css);
  styles.append(pages::page_css).append(style);
  return filled(pages::page_html, {{"title", html_escaped(title)},
                                   {"subtitle", html_escaped(subtitle)},
                                   {"style", styles},
                                   {"body", body},
                                   {"script", pages::page_js}});
}

}  // namespace gpuvae::apps
