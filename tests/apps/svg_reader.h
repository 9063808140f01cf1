// Helpers for tests of figures: a strict parser of the XML subset that the figures use, and the positions of
// the texts and data points of a figure.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>

#include <cmath>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "apps/plot/svg.h"

namespace gpuvae::test {

struct SvgElement {
  std::string name, text;
  std::map<std::string, std::string> attributes;

  bool has(const std::string& key, const std::string& value) const {
    const auto at = attributes.find(key);
    return at != attributes.end() && at->second == value;
  }
  double number(const std::string& key) const { return std::strtod(attributes.at(key).c_str(), nullptr); }
  apps::plot::Box box() const { return {number("x"), number("y"), number("width"), number("height")}; }
};

// Reads elements in document order. Throws std::runtime_error if the text is not well-formed, or if it uses
// XML beyond the subset, such as comments.
class SvgReader {
 public:
  explicit SvgReader(std::string_view text) : text_(text) {
    read_element();
    skip_space();
    require(at_ == text_.size(), "the end of the text after the root element");
  }
  std::vector<SvgElement> elements;

 private:
  void require(bool condition, const char* what) const {
    if (!condition)
      throw std::runtime_error("[svg] expected " + std::string(what) + " at byte " + std::to_string(at_));
  }
  bool take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  std::string read_name() {
    const std::size_t end = text_.find_first_of(" =/>\n\"<&", at_);
    require(end != text_.npos && end > at_, "a name");
    const std::string name(text_.substr(at_, end - at_));
    at_ = end;
    return name;
  }
  std::string read_characters(char until) {
    std::string characters;
    for (; at_ < text_.size() && text_[at_] != until;) {
      require(text_[at_] != '<', "no unescaped <");
      require(static_cast<unsigned char>(text_[at_]) >= 0x20 || text_[at_] == '\n', "no control characters");
      if (text_[at_] != '&') {
        characters += text_[at_++];
        continue;
      }
      if (take("&amp;"))
        characters += '&';
      else if (take("&lt;"))
        characters += '<';
      else if (take("&gt;"))
        characters += '>';
      else if (take("&quot;"))
        characters += '"';
      else
        require(false, "a known entity");
    }
    require(at_ < text_.size(), "the end of a text or attribute");
    return characters;
  }
  void read_element() {
    require(take("<"), "<");
    const std::size_t self = elements.size();
    elements.emplace_back();
    const std::string name = elements[self].name = read_name();
    for (skip_space(); text_.substr(at_, 1) != "/" && text_.substr(at_, 1) != ">"; skip_space()) {
      const std::string key = read_name();
      require(take("=\""), "=\"");
      require(elements[self].attributes.emplace(key, read_characters('"')).second, "no duplicate attribute");
      require(take("\""), "\"");
    }
    if (take("/>")) return;
    require(take(">"), ">");
    for (;;) {
      elements[self].text += read_characters('<');
      if (take("</")) break;
      read_element();
    }
    require(take(name) && take(">"), "the closing tag of the innermost open element");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline std::vector<SvgElement> svg_elements(const std::string& svg, const std::string& name,
                                            const std::string& css_class = "") {
  std::vector<SvgElement> found;
  for (const SvgElement& e : SvgReader(svg).elements)
    if (e.name == name && (css_class.empty() || e.has("class", css_class))) found.push_back(e);
  return found;
}

inline apps::plot::Box text_box(const SvgElement& e) {
  apps::plot::TextStyle style{.size = e.number("font-size")};
  const auto anchor = e.attributes.find("text-anchor");
  if (anchor != e.attributes.end()) style.anchor = anchor->second.c_str();
  style.bold = e.has("font-weight", "bold");
  style.upwards = e.attributes.count("transform") > 0;
  return apps::plot::text_box(e.number("x"), e.number("y"), e.text, style);
}

inline std::vector<std::string> svg_texts(const std::string& svg) {
  std::vector<std::string> texts;
  for (const SvgElement& e : svg_elements(svg, "text")) texts.push_back(e.text);
  return texts;
}
// Whether a text element of the drawing holds exactly this text.
inline bool has_text(const std::string& svg, const std::string& text) {
  const auto texts = svg_texts(svg);
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

struct SvgPoint {
  double x, y;
};
// Returns the points of the commands M and L in a path that consists of absolute M and L commands, h0 (which
// draws a dot) and z.
inline std::vector<SvgPoint> path_points(const SvgElement& path) {
  std::vector<SvgPoint> points;
  const std::string& d = path.attributes.at("d");
  for (const char* at = d.c_str(); *at;) {
    char* end = nullptr;
    if (*at == 'h' || *at == 'z') {
      at += *at == 'h' ? 2 : 1;
      continue;
    }
    const double x = std::strtod(at + 1, &end), y = std::strtod(end, &end);
    points.push_back({x, y});
    at = end;
  }
  return points;
}

// Expects a well-formed SVG without NaN or infinity, in which all texts and images lie on the page, no texts
// overlap, and all data lie inside the axes.
inline void expect_sound(const std::string& svg) {
  SCOPED_TRACE(svg.substr(0, 200));
  EXPECT_EQ(svg.find("nan"), svg.npos);
  EXPECT_EQ(svg.find("inf"), svg.npos);
  const std::vector<SvgElement> elements = SvgReader(svg).elements;
  ASSERT_EQ(elements[0].name, "svg");
  const apps::plot::Box page = elements[1].box();  // the white background
  EXPECT_EQ(elements[0].attributes.at("width"), elements[1].attributes.at("width"));
  std::vector<std::pair<std::string, apps::plot::Box>> texts;
  apps::plot::Box area = page;
  const auto is_within = [](const apps::plot::Box& inner, const apps::plot::Box& outer) {
    return inner.x >= outer.x - 0.01 && inner.y >= outer.y - 0.01 && inner.right() <= outer.right() + 0.01 &&
           inner.bottom() <= outer.bottom() + 0.01;
  };
  for (const SvgElement& e : elements) {
    if (e.has("class", "area")) area = e.box();
    if (e.name == "text") texts.emplace_back(e.text, text_box(e));
    const bool is_data = e.has("class", "data");
    if (e.name == "rect" || e.name == "image") {
      EXPECT_TRUE(is_within(e.box(), is_data ? area : page)) << e.name;
    } else if (e.name == "path" && is_data) {
      for (const SvgPoint& p : path_points(e))
        EXPECT_TRUE(is_within({p.x, p.y, 0, 0}, area)) << p.x << " " << p.y;
    }
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& [text, box] = texts[i];
    EXPECT_TRUE(is_within(box, {page.x + 8, page.y + 8, page.width - 16, page.height - 16})) << text;
    for (std::size_t j = 0; j < i; ++j) {
      const apps::plot::Box& other = texts[j].second;
      const bool apart = box.right() <= other.x || other.right() <= box.x || box.bottom() <= other.y ||
                         other.bottom() <= box.y;
      EXPECT_TRUE(apart) << "'" << text << "' overlaps '" << texts[j].first << "'";
    }
  }
}

}  // namespace gpuvae::test
