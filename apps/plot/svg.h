// Writes SVG text and tracks its extent, so that no part of a figure is clipped.
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "src/io/image.h"

namespace gpuvae::apps::plot {

struct Box {
  double x = 0, y = 0, width = 0, height = 0;  // CSS pixels; y grows downwards

  double right() const { return x + width; }
  double bottom() const { return y + height; }
  double centre_x() const { return x + width / 2; }
  double centre_y() const { return y + height / 2; }
};

inline constexpr double kSmall = 12, kNormal = 13, kLarge = 14, kTitle = 17;  // sizes of text, CSS pixels
inline constexpr const char *kInk = "#222", *kSoftInk = "#555", *kGridInk = "#e4e4e4";

struct TextStyle {
  double size = kNormal;
  const char* anchor = "start";  // or "middle", "end"
  bool bold = false;
  bool upwards = false;  // turned to read from below
  bool halo = false;     // a white rim, to stand out from points
  std::string colour = kInk;
};

// At most two decimals, none that are zero; never "-0". The same in every locale.
std::string coordinate(double value);

// Escapes & < > " for text and attributes. Characters that XML or UTF-8 do not allow become U+FFFD.
std::string escape(std::string_view text);

// Width of a line of text in CSS pixels in DejaVu Sans, which is wider than the fonts that precede it in
// font-family.
double text_width(std::string_view text, double size, bool bold = false);
Box text_box(double x, double y, std::string_view text, const TextStyle& style);

// Base64 of RFC 4648, section 4.
std::string base64(std::string_view bytes);

// Elements in the order of the calls. `attributes` are XML as it stands: fill="none" stroke="#000".
class Svg {
 public:
  void rect(const Box& box, std::string_view attributes);
  void line(double x1, double y1, double x2, double y2, std::string_view attributes);
  // A path whose points lie within `extent`. The margin has room for the width of its stroke.
  void path(std::string_view commands, const Box& extent, std::string_view attributes);
  // y is that of the baseline: see `middle`.
  void text(double x, double y, std::string_view text, const TextStyle& style = {});
  // An image whose pixels stay sharp at every scale.
  void image(const Box& box, const io::Gray& image);

  // The whole figure: white, `margin` pixels wider than its content on every side. `title` is for screen
  // readers.
  std::string finish(std::string_view title, double margin = 16) const;

 private:
  void cover(const Box& box);

  static constexpr double kFar = std::numeric_limits<double>::max();
  double left_ = kFar, top_ = kFar, right_ = -kFar, bottom_ = -kFar;
  std::string content_;
};

// The baseline of text that is centred at y.
inline double middle(double y, double size) { return y + 0.35 * size; }

}  // namespace gpuvae::apps::plot
