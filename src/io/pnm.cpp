// decode_pnm: a strict reader of PBM, PGM and PPM (netpbm.sourceforge.net/doc). The readers of stb and of
// other libraries accept files that are truncated or whose samples exceed the maximum.
#include "src/io/image_decoders.h"
#include "src/io/luminance.h"

namespace gpuvae::io {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class PnmReader {
 public:
  explicit PnmReader(const ImageSource& source) : source_(source), rest_(source.bytes.substr(2)) {}

  DecodedImage decode() {
    const int kind = source_.bytes[1] - '0';  // P1 to P3 are ASCII, P4 to P6 binary
    const bool ascii = kind <= 3, bits = kind % 3 == 1;
    channels_ = kind % 3 == 0 ? 3 : 1;
    const std::uint64_t width = number("a width"), height = number("a height");
    if (!bits) max_ = number("a maximum");
    source_.require(max_ >= 1 && max_ <= 65535, "expected a maximum of 1 to 65535, got {}", max_);
    if (!ascii) {
      source_.require(!rest_.empty() && is_space(rest_[0]), "expected white space before the pixels");
      rest_.remove_prefix(1);
    }
    // Each sample of an ASCII file takes at least two characters, except those of P1 and the last one.
    const std::uint64_t least = ascii && !bits ? (rest_.size() + 1) / 2 : rest_.size();
    source_.check_size(width, height, ascii ? least / channels_ : bits ? least * 8 : least / sample_bytes());
    DecodedImage out{{static_cast<int>(width), static_cast<int>(height), {}},
                     {.colors = channels_ == 3, .depth = max_ > 255}};
    out.image.pixels.resize(width * height);
    if (ascii) {
      ascii_pixels(bits, out.image);
    } else {
      check_length(bits ? (width + 7) / 8 * height : width * height * sample_bytes());
      bits ? packed_pixels(out.image) : binary_pixels(out.image);
    }
    return out;
  }

 private:
  // Bytes per pixel of a binary file.
  std::uint64_t sample_bytes() const { return (max_ > 255 ? 2 : 1) * channels_; }

  // Skips white space and comments. A comment ends with its line.
  void skip_spaces() {
    while (!rest_.empty() && (is_space(rest_[0]) || rest_[0] == '#')) {
      const std::size_t end = rest_[0] == '#' ? rest_.find_first_of("\r\n") : 1;
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
    }
  }

  std::uint64_t number(std::string_view what) {
    constexpr std::size_t kMaxDigits = 10;
    const bool separated = rest_.empty() || is_space(rest_[0]) || rest_[0] == '#';
    skip_spaces();
    source_.require(!rest_.empty(), "truncated: expected {}, got the end of the file", what);
    std::size_t digits = 0;
    std::uint64_t value = 0;
    while (digits < rest_.size() && is_digit(rest_[digits]) && digits <= kMaxDigits)
      value = 10 * value + static_cast<std::uint64_t>(rest_[digits++] - '0');
    source_.require(separated && digits > 0 && digits <= kMaxDigits,
                    "expected {} of 1 to {} decimal digits at byte {}", what, kMaxDigits,
                    rest_.data() - source_.bytes.data());
    rest_.remove_prefix(digits);
    return value;
  }

  void check_sample(std::uint64_t sample, std::size_t pixel, const Gray& image) const {
    const auto width = static_cast<std::size_t>(image.width);
    source_.require(sample <= max_, "expected samples of at most {}, got {} in row {}, column {} (from 0)",
                    max_, sample, pixel / width, pixel % width);
  }

  template <class Sample>
  void fill(Gray& image, Sample&& sample) {
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      std::uint64_t s[3] = {};
      for (std::uint64_t c = 0; c < channels_; ++c) {
        s[c] = sample();
        check_sample(s[c], i, image);
      }
      image.pixels[i] =
          channels_ == 3 ? to_byte(luma(s[0], s[1], s[2]), kLumaOne * max_) : to_byte(s[0], max_);
    }
  }

  void ascii_pixels(bool bits, Gray& image) {
    if (bits) {
      for (std::uint8_t& pixel : image.pixels) pixel = bit() ? 0 : 255;
    } else {
      fill(image, [&] { return number("a sample"); });
      // Without white space after it, the last number could be the beginning of a longer one.
      source_.require(!rest_.empty() && (is_space(rest_[0]) || rest_[0] == '#'),
                      "expected white space after the last sample: the file may be truncated");
    }
    skip_spaces();
    source_.require(rest_.empty(),
                    "expected the end of the file after the last pixel, got more from byte {} on",
                    rest_.data() - source_.bytes.data());
  }

  // The bits of P1 need no white space between them.
  bool bit() {
    skip_spaces();
    source_.require(!rest_.empty(), "truncated: expected a pixel, got the end of the file");
    source_.require(rest_[0] == '0' || rest_[0] == '1', "expected 0 or 1 at byte {}",
                    rest_.data() - source_.bytes.data());
    const bool black = rest_[0] == '1';
    rest_.remove_prefix(1);
    return black;
  }

  void check_length(std::uint64_t expected) const {
    source_.require(rest_.size() >= expected, "truncated: expected {} bytes of pixels, got {}", expected,
                    rest_.size());
    source_.require(rest_.size() == expected,
                    "expected {} bytes of pixels, got {}: the file is damaged or has several images",
                    expected, rest_.size());
  }

  void binary_pixels(Gray& image) {
    const auto* next = reinterpret_cast<const std::uint8_t*>(rest_.data());
    if (max_ == 255 && channels_ == 1) {
      image.pixels.assign(next, next + image.pixels.size());
    } else if (max_ > 255) {
      fill(image, [&] {
        next += 2;
        return static_cast<std::uint64_t>(next[-2] << 8 | next[-1]);
      });
    } else {
      fill(image, [&] { return std::uint64_t{*next++}; });
    }
  }

  // Each row of P4 begins with a new byte, whose highest bit is the leftmost pixel. 1 is black.
  void packed_pixels(Gray& image) const {
    const std::size_t row_bytes = (static_cast<std::size_t>(image.width) + 7) / 8;
    std::uint8_t* pixel = image.pixels.data();
    for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y)
      for (std::size_t x = 0; x < static_cast<std::size_t>(image.width); ++x)
        *pixel++ = (rest_[y * row_bytes + x / 8] >> (7 - x % 8) & 1) != 0 ? 0 : 255;
  }

  const ImageSource& source_;
  std::string_view rest_;
  std::uint64_t max_ = 1, channels_ = 1;
};

}  // namespace

DecodedImage decode_pnm(const ImageSource& source) { return PnmReader(source).decode(); }

}  // namespace gpuvae::io
