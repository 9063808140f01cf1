// decode_png: libpng unpacks the samples, and this file converts them to grey levels. libpng's own
// transformations are not used, because each of them (16 bits, transparency, colours) would round the levels
// once more.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "src/io/exif.h"
#include "src/io/image_decoders.h"
#include "src/io/luminance.h"

namespace gpuvae::io {
namespace {

// Everything that must survive a longjmp of libpng's error handler. A longjmp skips destructors, so the
// functions that call setjmp, and the handlers, have no objects with a destructor.
struct PngDecoder {
  explicit PngDecoder(std::string_view bytes) : rest(bytes) {}
  ~PngDecoder() { png_destroy_read_struct(&png, &info, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  png_structp png = nullptr;
  png_infop info = nullptr;
  int depth = 0;  // bits per sample in the file; libpng unpacks fewer than 8 bits to 8
  std::string_view rest;
  std::array<char, 128> reason{};
};

[[noreturn]] void on_png_error(png_structp png, png_const_charp message) {
  auto* decoder = static_cast<PngDecoder*>(png_get_error_ptr(png));
  std::snprintf(decoder->reason.data(), decoder->reason.size(), "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, std::size_t size) {
  auto* decoder = static_cast<PngDecoder*>(png_get_io_ptr(png));
  if (size > decoder->rest.size()) png_error(png, "truncated: the file ends before the image does");
  std::memcpy(out, decoder->rest.data(), size);
  decoder->rest.remove_prefix(size);
}

bool read_png_header(PngDecoder& d) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_set_read_fn(d.png, &d, on_read);
  png_set_crc_action(d.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Colour profiles, texts and gamma are ignored: they do not change the pixels, and many files have invalid
  // ones.
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  const png_byte exif[] = "eXIf";
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_AS_DEFAULT, exif, 1);
  png_set_benign_errors(d.png, 0);
  png_read_info(d.png, d.info);
  d.depth = png_get_bit_depth(d.png, d.info);
  return true;
}

// Call this after the size was checked, because libpng allocates memory for a row.
bool choose_png_output(PngDecoder& d) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_set_packing(d.png);
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  return true;
}

bool read_png_rows(PngDecoder& d, png_bytepp rows) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_read_image(d.png, rows);
  png_read_end(d.png, d.info);
  return true;
}

// The RGB colour, or the grey level, that a tRNS chunk declares transparent in an image without an alpha
// channel.
using Key = std::array<std::uint16_t, 3>;

struct Layout {
  int depth = 0, color_type = 0, channels = 0;
  bool has_key = false;
  Key key{};
};

Layout png_layout(const PngDecoder& d) {
  Layout layout{.depth = d.depth,
                .color_type = png_get_color_type(d.png, d.info),
                .channels = png_get_channels(d.png, d.info)};
  png_color_16p color = nullptr;
  if (layout.color_type == PNG_COLOR_TYPE_PALETTE || !png_get_valid(d.png, d.info, PNG_INFO_tRNS))
    return layout;
  png_get_tRNS(d.png, d.info, nullptr, nullptr, &color);
  if (color == nullptr) return layout;
  layout.has_key = true;
  layout.key = {color->red, color->green, color->blue};
  if (layout.color_type == PNG_COLOR_TYPE_GRAY) layout.key = {color->gray, color->gray, color->gray};
  return layout;
}

// The grey level of each value of a sample, which is an index into the palette or a grey level of 1 to 8
// bits.
struct Levels {
  struct Level {
    std::uint8_t gray = 0;
    bool transparent = false;
  };
  std::array<Level, 256> values{};
  int count = 0;
};

Levels palette_levels(const PngDecoder& d) {
  png_colorp colors = nullptr;
  png_bytep alpha = nullptr;
  int color_count = 0, alpha_count = 0;
  png_get_PLTE(d.png, d.info, &colors, &color_count);
  if (png_get_valid(d.png, d.info, PNG_INFO_tRNS)) png_get_tRNS(d.png, d.info, &alpha, &alpha_count, nullptr);
  Levels levels{.count = color_count};
  for (int i = 0; i < color_count; ++i) {
    const png_color& c = colors[i];
    const std::uint64_t opacity = alpha != nullptr && i < alpha_count ? alpha[i] : 255;
    levels.values[static_cast<std::size_t>(i)] = {on_white<255>(luma(c.red, c.green, c.blue), opacity),
                                                  opacity < 255};
  }
  return levels;
}

Levels gray_levels(const Layout& layout) {
  Levels levels{.count = 1 << layout.depth};
  for (int i = 0; i < levels.count; ++i) {
    const bool transparent = layout.has_key && layout.key[0] == i;
    const std::uint8_t gray =
        transparent ? 255 : to_byte(static_cast<std::uint64_t>(i), (1u << layout.depth) - 1);
    levels.values[static_cast<std::size_t>(i)] = {gray, transparent};
  }
  return levels;
}

void look_up(const ImageSource& source, const Levels& levels, const std::uint8_t* samples,
             DecodedImage& out) {
  for (std::uint8_t& pixel : out.image.pixels) {
    const std::uint8_t sample = *samples++;
    source.require(sample < levels.count, "damaged: a pixel has colour {}, but the palette has {} colours",
                   sample, levels.count);
    const Levels::Level& level = levels.values[sample];
    pixel = level.gray;
    out.changes.transparency |= level.transparent;
  }
}

// kMax is 255 or 65535. Samples of 16 bits are big-endian.
template <std::uint64_t kMax>
void convert_png(const Layout& layout, const std::uint8_t* bytes, DecodedImage& out) {
  const bool has_color = (layout.color_type & PNG_COLOR_MASK_COLOR) != 0;
  const bool has_alpha = (layout.color_type & PNG_COLOR_MASK_ALPHA) != 0;
  std::array<std::uint16_t, 4> s{};
  for (std::uint8_t& pixel : out.image.pixels) {
    for (int c = 0; c < layout.channels; ++c, bytes += kMax == 255 ? 1 : 2)
      s[static_cast<std::size_t>(c)] =
          kMax == 255 ? bytes[0] : static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
    const Key key = has_color ? Key{s[0], s[1], s[2]} : Key{s[0], s[0], s[0]};
    std::uint64_t alpha = kMax;
    if (has_alpha) alpha = has_color ? s[3] : s[1];
    if (layout.has_key && key == layout.key) alpha = 0;
    pixel = on_white<kMax>(luma(key[0], key[1], key[2]), alpha);
    out.changes.transparency |= alpha != kMax;
  }
}

// The number of frames that an acTL chunk of an animated PNG declares; 1 without such a chunk. The chunk
// comes before the pixels (APNG specification), and libpng ignores it.
std::uint64_t frames_of(std::string_view bytes) {
  const auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (const char c : bytes.substr(at, 4)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  };
  constexpr std::size_t kFirstChunk = 8, kAroundData = 12;
  for (std::size_t at = kFirstChunk; at + kAroundData <= bytes.size(); at += kAroundData + number(at)) {
    const std::string_view kind = bytes.substr(at + 4, 4);
    if (kind == "acTL" && at + 16 <= bytes.size()) return number(at + 8);
    if (kind == "IDAT") break;
  }
  return 1;
}

}  // namespace

DecodedImage decode_png(const ImageSource& source) {
  // DEFLATE compresses at most 1032 to 1.
  constexpr std::uint64_t kMaxBitsPerByte = 1032 * 8;
  PngDecoder d(source.bytes);
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_png_error, on_warning);
  d.info = d.png != nullptr ? png_create_info_struct(d.png) : nullptr;
  source.require(d.info != nullptr, "out of memory");
  source.require(read_png_header(d), "{}", d.reason.data());
  const std::uint64_t frames = frames_of(source.bytes);
  source.require(frames <= 1, "expected a single image, got an animation of {} frames (APNG)", frames);
  const std::uint64_t width = png_get_image_width(d.png, d.info),
                      height = png_get_image_height(d.png, d.info);
  const auto bits_per_pixel = static_cast<std::uint64_t>(d.depth * png_get_channels(d.png, d.info));
  source.check_size(width, height, source.bytes.size() * kMaxBitsPerByte / bits_per_pixel);
  source.require(choose_png_output(d), "{}", d.reason.data());

  const std::size_t row_bytes = png_get_rowbytes(d.png, d.info);
  std::vector<std::uint8_t> samples(row_bytes * height);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < height; ++y) rows.push_back(samples.data() + y * row_bytes);
  source.require(read_png_rows(d, rows.data()), "{}", d.reason.data());

  DecodedImage out{{static_cast<int>(width), static_cast<int>(height), {}}, {}};
  out.image.pixels.resize(width * height);
  const Layout layout = png_layout(d);
  out.changes.colors = (layout.color_type & PNG_COLOR_MASK_COLOR) != 0;
  out.changes.depth = layout.depth > 8;
  if (layout.color_type == PNG_COLOR_TYPE_PALETTE) {
    look_up(source, palette_levels(d), samples.data(), out);
  } else if (layout.color_type == PNG_COLOR_TYPE_GRAY && layout.depth <= 8) {
    look_up(source, gray_levels(layout), samples.data(), out);
  } else if (layout.depth == 8) {
    convert_png<255>(layout, samples.data(), out);
  } else {
    convert_png<65535>(layout, samples.data(), out);
  }
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  png_get_eXIf_1(d.png, d.info, &exif_bytes, &exif);
  const int orientation =
      exif != nullptr ? exif_orientation({reinterpret_cast<const char*>(exif), exif_bytes}) : 1;
  out.changes.orientation = orientation > 1;
  out.image = oriented(std::move(out.image), orientation);
  return out;
}

}  // namespace gpuvae::io
