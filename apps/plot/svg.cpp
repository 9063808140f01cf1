#include "apps/plot/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/check.h"
#include "src/io/stb.h"

namespace gpuvae::apps::plot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr char32_t kInvalid = 0xFFFFFFFF;

// The code point that begins at `at`, which moves past it; kInvalid, and one byte further, where there is
// none.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 && first < 0xF5   ? 3
                   : first >= 0xE0 && first < 0xF0 ? 2
                   : first >= 0xC2 && first < 0xE0 ? 1
                                                   : 0;
  if (more == 0 || at + more > text.size()) return kInvalid;
  char32_t point = first & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xC0) != 0x80) return kInvalid;
    point = point << 6 | (byte & 0x3F);
  }
  constexpr std::array<char32_t, 4> kSmallest = {0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return kInvalid;
  at += more;
  return point;
}

bool is_allowed_in_xml(char32_t c) {
  return c != kInvalid && c != 0xFFFE && c != 0xFFFF && (c >= 0x20 || c == '\t' || c == '\n' || c == '\r');
}

// Hundredths of an em: DejaVu Sans' advance widths of the characters from the space to the tilde, rounded up.
constexpr std::array<std::uint8_t, 95> kWidths = {
    32, 41, 46, 84, 64, 96, 78, 28, 40,  40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79,
    61, 79, 70, 64, 62, 74, 69, 99, 69,  62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36, 64,
    64, 28, 28, 58, 28, 98, 64, 62, 64,  64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84};

}  // namespace

std::string coordinate(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (!is_allowed_in_xml(c))
      escaped += kReplacement;
    else if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else
      escaped += text.substr(begin, at - begin);
  }
  return escaped;
}

double text_width(std::string_view text, double size, bool bold) {
  constexpr char32_t kMinus = 0x2212;
  constexpr double kBoldIsWider = 1.16;
  double hundredths = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    hundredths += c >= ' ' && c <= '~' ? kWidths[c - ' '] : c == kMinus ? 84 : 100;
  }
  return hundredths / 100 * size * (bold ? kBoldIsWider : 1);
}

Box text_box(double x, double y, std::string_view text, const TextStyle& style) {
  const double width = text_width(text, style.size, style.bold);
  const std::string_view anchor = style.anchor;
  const double before = anchor == "middle" ? width / 2 : anchor == "end" ? width : 0;
  const double ascent = 0.8 * style.size, descent = 0.25 * style.size;
  if (style.upwards) return {x - ascent, y - (width - before), ascent + descent, width};
  return {x - before, y - ascent, width, ascent + descent};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = i; j < i + 3; ++j)
      three = three << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    for (int digit = 0; digit < 4; ++digit) text += kDigits[three >> (18 - 6 * digit) & 63];
  }
  const std::size_t missing = (3 - bytes.size() % 3) % 3;
  return text.replace(text.size() - missing, missing, missing, '=');
}

void Svg::cover(const Box& box) {
  left_ = std::min(left_, box.x);
  top_ = std::min(top_, box.y);
  right_ = std::max(right_, box.right());
  bottom_ = std::max(bottom_, box.bottom());
}

void Svg::rect(const Box& box, std::string_view attributes) {
  cover(box);
  content_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>\n", coordinate(box.x),
                          coordinate(box.y), coordinate(box.width), coordinate(box.height), attributes);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  cover({std::min(x1, x2), std::min(y1, y2), std::abs(x2 - x1), std::abs(y2 - y1)});
  content_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>\n", coordinate(x1),
                          coordinate(y1), coordinate(x2), coordinate(y2), attributes);
}

void Svg::path(std::string_view commands, const Box& extent, std::string_view attributes) {
  cover(extent);
  content_ += fmt::format("<path d=\"{}\" {}/>\n", commands, attributes);
}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
  if (text.empty()) return;
  cover(text_box(x, y, text, style));
  content_ += fmt::format("<text x=\"{0}\" y=\"{1}\" font-size=\"{2}\" fill=\"{3}\"", coordinate(x),
                          coordinate(y), coordinate(style.size), style.colour);
  if (std::string_view(style.anchor) != "start") content_ += fmt::format(" text-anchor=\"{}\"", style.anchor);
  if (style.bold) content_ += " font-weight=\"bold\"";
  if (style.halo)
    content_ += " paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"3\" stroke-linejoin=\"round\"";
  if (style.upwards)
    content_ += fmt::format(" transform=\"rotate(-90 {} {})\"", coordinate(x), coordinate(y));
  content_ += fmt::format(">{}</text>\n", escape(text));
}

void Svg::image(const Box& box, const io::Gray& image) {
  cover(box);
  const std::string png = io::encode_png(image);
  check(!png.empty(), "svg", "out of memory for the PNG encoder");
  content_ += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
      coordinate(box.x), coordinate(box.y), coordinate(box.width), coordinate(box.height), base64(png));
}

std::string Svg::finish(std::string_view title, double margin) const {
  const bool empty = left_ > right_;
  // Whole pixels, so that images and thin lines at whole coordinates stay sharp.
  const double x = empty ? 0 : std::floor(left_ - margin), y = empty ? 0 : std::floor(top_ - margin);
  const double width = empty ? 1 : std::ceil(right_ + margin) - x,
               height = empty ? 1 : std::ceil(bottom_ + margin) - y;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" data-generator=\"gpuvae\" width=\"{2}\" height=\"{3}\" "
      "viewBox=\"{0} {1} {2} {3}\" "
      "role=\"img\" aria-label=\"{4}\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', "
      "sans-serif\">\n<rect x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" fill=\"#fff\"/>\n{5}</svg>\n",
      coordinate(x), coordinate(y), coordinate(width), coordinate(height), escape(title), content_);
}

}  // namespace gpuvae::apps::plot
