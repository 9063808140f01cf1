// decode_bmp: a strict reader of uncompressed BMP files of 1, 4, 8, 24 and 32 bits per pixel.
#include <algorithm>
#include <array>
#include <bit>

#include "src/io/image_decoders.h"
#include "src/io/luminance.h"

namespace gpuvae::io {
namespace {

constexpr std::size_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40;

class BmpReader {
 public:
  explicit BmpReader(const ImageSource& source) : source_(source) {}

  DecodedImage decode() {
    read_header();
    const std::uint64_t row_bytes = (width_ * bits_ + 31) / 32 * 4;
    const std::uint64_t left = source_.bytes.size() - std::min<std::uint64_t>(offset_, source_.bytes.size());
    source_.check_size(width_, height_, left * 8 / bits_);
    source_.require(row_bytes * height_ <= left, "truncated: expected {} bytes of pixels, got {}",
                    row_bytes * height_, left);
    DecodedImage out{{static_cast<int>(width_), static_cast<int>(height_), {}}, {.colors = true}};
    out.image.pixels.reserve(width_ * height_);
    if (bits_ <= 8) read_palette();
    if (bits_ == 32 && !has_masks_) check_unused_bytes();
    for (std::uint64_t y = 0; y < height_; ++y) {
      const std::uint64_t row = offset_ + row_bytes * (top_down_ ? y : height_ - 1 - y);
      for (std::uint64_t x = 0; x < width_; ++x)
        out.image.pixels.push_back(bits_ <= 8 ? palette_pixel(row, x) : color_pixel(row, x));
    }
    out.changes.transparency = transparent_;
    return out;
  }

 private:
  std::uint64_t number(std::uint64_t at, unsigned size) const {
    source_.require(at + size <= source_.bytes.size(), "truncated: expected at least {} bytes, got {}",
                    at + size, source_.bytes.size());
    std::uint64_t value = 0;
    for (unsigned i = size; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(source_.bytes[at + i]);
    return value;
  }

  void read_header() {
    offset_ = number(10, 4);
    header_ = number(kFileHeader, 4);
    const bool core = header_ == kCoreHeader;
    source_.require(core || (header_ >= kInfoHeader && header_ <= 124),
                    "expected a header of 12 or 40 to 124 bytes, got {}", header_);
    const unsigned size = core ? 2 : 4;
    width_ = number(kFileHeader + 4, size);
    height_ = number(kFileHeader + 4 + size, size);
    top_down_ = !core && height_ >> 31 != 0;
    if (top_down_) height_ = (std::uint64_t{1} << 32) - height_;
    bits_ = number(kFileHeader + 6 + 2 * size, 2);
    const std::uint64_t compression = core ? 0 : number(kFileHeader + 16, 4);
    const bool known = bits_ == 1 || bits_ == 4 || bits_ == 8 || bits_ == 24 || bits_ == 32;
    source_.require(
        known && (compression == 0 || (compression == 3 && bits_ == 32)),
        "expected uncompressed pixels of 1, 4, 8, 24 or 32 bits, got {} bits with compression {}: "
        "convert it to PNG",
        bits_, compression);
    if (!core) colors_ = number(kFileHeader + 32, 4);
    has_masks_ = compression == 3;
    if (has_masks_) read_masks();
    // Three masks follow a header of 40 bytes.
    const std::uint64_t least = kFileHeader + header_ + (has_masks_ && header_ == kInfoHeader ? 12 : 0);
    source_.require(offset_ >= least, "damaged: the pixels begin at byte {}, inside the header", offset_);
  }

  // Each mask must cover exactly one of the four bytes. Only headers of 56 or more bytes have the fourth
  // mask, for opacity.
  void read_masks() {
    for (std::size_t i = 0; i < (header_ >= 56 ? 4u : 3u); ++i) {
      const std::uint64_t mask = number(kFileHeader + kInfoHeader + 4 * i, 4);
      const int shift = mask == 0 ? 0 : std::countr_zero(mask);
      source_.require((mask == 0 && i == 3) || (shift % 8 == 0 && mask >> shift == 255),
                      "expected a colour mask of one byte, got {:#010x}: convert it to PNG", mask);
      if (mask != 0) channel_[i] = static_cast<unsigned>(shift / 8);
      has_alpha_ |= mask != 0 && i == 3;
    }
  }

  // Without masks, the format gives the fourth byte no meaning, but some programs store the opacity there.
  void check_unused_bytes() const {
    bool zero = true, full = true;
    for (std::uint64_t pixel = 0; pixel < width_ * height_; ++pixel) {
      const std::uint64_t byte = number(offset_ + 4 * pixel + 3, 1);
      zero &= byte == 0;
      full &= byte == 255;
    }
    source_.require(zero || full,
                    "32 bits without a mask for opacity, but the fourth bytes differ: convert it to PNG");
  }

  void read_palette() {
    const std::uint64_t entry = header_ == kCoreHeader ? 3 : 4, most = std::uint64_t{1} << bits_;
    if (colors_ == 0) colors_ = most;
    source_.require(colors_ <= most, "damaged: expected at most {} colours, got {}", most, colors_);
    const std::uint64_t first = kFileHeader + header_;
    source_.require(first + colors_ * entry <= offset_,
                    "damaged: the palette of {} colours reaches into the pixels", colors_);
    for (std::uint64_t i = 0; i < colors_; ++i) {
      const std::uint64_t at = first + i * entry;
      palette_[i] = on_white<255>(luma(number(at + 2, 1), number(at + 1, 1), number(at, 1)), 255);
    }
  }

  std::uint8_t palette_pixel(std::uint64_t row, std::uint64_t x) const {
    const std::uint64_t bit = x * bits_, byte = number(row + bit / 8, 1);
    const std::uint64_t index = byte >> (8 - bits_ - bit % 8) & ((1u << bits_) - 1);
    source_.require(index < colors_, "damaged: a pixel has colour {}, but the palette has {} colours", index,
                    colors_);
    return palette_[index];
  }

  std::uint8_t color_pixel(std::uint64_t row, std::uint64_t x) {
    const std::uint64_t at = row + x * bits_ / 8, alpha = has_alpha_ ? number(at + channel_[3], 1) : 255;
    transparent_ |= alpha != 255;
    return on_white<255>(
        luma(number(at + channel_[0], 1), number(at + channel_[1], 1), number(at + channel_[2], 1)), alpha);
  }

  const ImageSource& source_;
  std::uint64_t offset_ = 0, header_ = 0, width_ = 0, height_ = 0, bits_ = 0, colors_ = 0;
  bool top_down_ = false, has_masks_ = false, has_alpha_ = false, transparent_ = false;
  std::array<unsigned, 4> channel_{2, 1, 0, 3};  // byte of red, green, blue and opacity
  std::array<std::uint8_t, 256> palette_{};
};

}  // namespace

DecodedImage decode_bmp(const ImageSource& source) { return BmpReader(source).decode(); }

}  // namespace gpuvae::io
