// PNG files of every kind, written byte by byte: nothing here calls libpng.
#include <random>

#include "tests/io/image_bytes.h"

namespace gpuvae::io {
namespace {

using namespace std::string_literals;

constexpr int kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6;

int channels_of(int color_type) {
  return color_type == kRgb ? 3 : color_type == kGrayAlpha ? 2 : color_type == kRgba ? 4 : 1;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(data.size(), 4) + body + big_endian(crc, 4);
}

std::string deflated(const std::string& data) {
  std::string packed(compressBound(data.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
           data.size());
  packed.resize(size);
  return packed;
}

const std::string kSignature = "\x89PNG\r\n\x1a\n";
const std::string kEnd = chunk("IEND", "");

struct Png {
  int width = 1, height = 1, color_type = kGray, depth = 8;
  bool interlaced = false;
  std::vector<unsigned> samples = {};  // [height, width, channels]
  std::string chunks = {};             // between IHDR and IDAT

  std::string header() const {
    return chunk("IHDR", big_endian(static_cast<unsigned>(width), 4) +
                             big_endian(static_cast<unsigned>(height), 4) +
                             std::string{static_cast<char>(depth), static_cast<char>(color_type), 0, 0,
                                         static_cast<char>(interlaced)});
  }
  // The pixels x0, x0 + dx, ... of the rows y0, y0 + dy, ..., each row with filter 0.
  std::string pass(int x0, int y0, int dx, int dy) const {
    const int channels = channels_of(color_type);
    std::string rows;
    for (int y = y0; y < height && x0 < width; y += dy) {
      rows += '\0';
      unsigned bits = 0, used = 0;
      for (int x = x0; x < width; x += dx)
        for (int c = 0; c < channels; ++c) {
          const unsigned sample = samples[static_cast<std::size_t>((y * width + x) * channels + c)];
          if (depth == 16) {
            rows += big_endian(sample, 2);
            continue;
          }
          bits = bits << depth | sample;
          used += static_cast<unsigned>(depth);
          if (used == 8) {
            rows += static_cast<char>(bits);
            bits = used = 0;
          }
        }
      if (used > 0) rows += static_cast<char>(bits << (8 - used));
    }
    return rows;
  }
  std::string rows() const {
    if (!interlaced) return pass(0, 0, 1, 1);
    return pass(0, 0, 8, 8) + pass(4, 0, 8, 8) + pass(0, 4, 4, 8) + pass(2, 0, 4, 4) + pass(0, 2, 2, 4) +
           pass(1, 0, 2, 2) + pass(0, 1, 1, 2);
  }
  std::string bytes() const {
    return kSignature + header() + chunks + chunk("IDAT", deflated(rows())) + kEnd;
  }
};

// A picture with random samples.
Png random_png(int color_type, int depth, bool interlaced, int width = 19, int height = 11) {
  Png png{
      .width = width, .height = height, .color_type = color_type, .depth = depth, .interlaced = interlaced};
  std::mt19937 random(static_cast<unsigned>(100 * color_type + depth));
  const auto count = static_cast<std::size_t>(width * height * channels_of(color_type));
  while (png.samples.size() < count) png.samples.push_back(random() & ((1u << depth) - 1));
  return png;
}

// The colours of a file without palette.
std::vector<Color> colors_of(const Png& png) {
  std::vector<Color> colors;
  const double max = (1 << png.depth) - 1;
  const auto channels = static_cast<std::size_t>(channels_of(png.color_type));
  for (std::size_t i = 0; i < png.samples.size(); i += channels) {
    const unsigned* s = &png.samples[i];
    if (channels <= 2) {
      colors.push_back({s[0] / max, s[0] / max, s[0] / max, channels == 2 ? s[1] / max : 1});
    } else {
      colors.push_back({s[0] / max, s[1] / max, s[2] / max, channels == 4 ? s[3] / max : 1});
    }
  }
  return colors;
}

struct Kind {
  int color_type, depth;
};
class EveryPng : public testing::TestWithParam<std::tuple<Kind, bool>> {
 protected:
  int color_type() const { return std::get<0>(GetParam()).color_type; }
  int depth() const { return std::get<0>(GetParam()).depth; }
  bool interlaced() const { return std::get<1>(GetParam()); }
};
std::string name_of(const testing::TestParamInfo<std::tuple<Kind, bool>>& test) {
  const auto& [kind, interlaced] = test.param;
  const char* names[] = {"Gray", "", "Rgb", "Palette", "GrayAlpha", "", "Rgba"};
  return names[kind.color_type] + std::to_string(kind.depth) + (interlaced ? "Interlaced" : "");
}
// The fifteen combinations that the PNG specification allows, plain and interlaced.
const Kind kKinds[] = {{kGray, 1},    {kGray, 2},      {kGray, 4},       {kGray, 8},    {kGray, 16},
                       {kRgb, 8},     {kRgb, 16},      {kPalette, 1},    {kPalette, 2}, {kPalette, 4},
                       {kPalette, 8}, {kGrayAlpha, 8}, {kGrayAlpha, 16}, {kRgba, 8},    {kRgba, 16}};
INSTANTIATE_TEST_SUITE_P(, EveryPng, testing::Combine(testing::ValuesIn(kKinds), testing::Bool()), name_of);

// A palette of random colours, as PLTE has it.
std::string random_palette(int colors) {
  std::mt19937 random(7);
  std::string entries;
  for (int i = 0; i < 3 * colors; ++i) entries += static_cast<char>(random() & 255);
  return entries;
}

std::vector<Color> look_up(const std::vector<unsigned>& indices, const std::string& palette,
                           const std::string& alpha = {}) {
  std::vector<Color> colors;
  const auto channel = [](char c) { return static_cast<unsigned char>(c) / 255.0; };
  for (const unsigned i : indices)
    colors.push_back({channel(palette[3 * i]), channel(palette[3 * i + 1]), channel(palette[3 * i + 2]),
                      i < alpha.size() ? channel(alpha[i]) : 1});
  return colors;
}

TEST_P(EveryPng, HasTheExactLevels) {
  Png png = random_png(color_type(), depth(), interlaced());
  const std::string palette = color_type() == kPalette ? random_palette(1 << depth()) : "";
  if (!palette.empty()) png.chunks = chunk("PLTE", palette);
  ImageChanges changes;
  const Gray image = read_bytes(png.bytes(), &changes);
  expect_levels(image, 19, 11, palette.empty() ? colors_of(png) : look_up(png.samples, palette));
  EXPECT_EQ(changes.colors, color_type() == kRgb || color_type() == kRgba || color_type() == kPalette);
  EXPECT_EQ(changes.transparency, color_type() == kGrayAlpha || color_type() == kRgba);
  EXPECT_EQ(changes.depth, depth() == 16);
  EXPECT_FALSE(changes.orientation);
}

TEST_P(EveryPng, TransparentColorsAreWhite) {
  Png png = random_png(color_type(), depth(), interlaced());
  std::vector<Color> expected;
  if (color_type() == kPalette) {
    const std::string palette = random_palette(1 << depth()), alpha = std::string("\x00\x80", 2);
    png.chunks = chunk("PLTE", palette) + chunk("tRNS", alpha);
    expected = look_up(png.samples, palette, alpha);
  } else {
    // The colour of the pixel in the middle is transparent, wherever it occurs.
    const auto channels = static_cast<std::size_t>(channels_of(color_type()));
    if (channels % 2 == 0) GTEST_SKIP() << "the specification forbids tRNS beside an alpha channel";
    const std::size_t middle = png.samples.size() / 2 / channels * channels;
    std::string key;
    for (std::size_t c = 0; c < channels; ++c) key += big_endian(png.samples[middle + c], 2);
    png.chunks = chunk("tRNS", key);
    expected = colors_of(png);
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (std::equal(&png.samples[i * channels], &png.samples[i * channels] + channels, &png.samples[middle]))
        expected[i].alpha = 0;
  }
  ImageChanges changes;
  expect_levels(read_bytes(png.bytes(), &changes), 19, 11, expected);
  EXPECT_TRUE(changes.transparency);
}

TEST_P(EveryPng, OddSizes) {
  for (const auto& [width, height] : {std::pair(1, 1), {1, 9}, {9, 1}, {2, 3}, {8, 8}, {33, 2}}) {
    Png png = random_png(color_type(), depth(), interlaced(), width, height);
    const std::string palette = color_type() == kPalette ? random_palette(1 << depth()) : "";
    if (!palette.empty()) png.chunks = chunk("PLTE", palette);
    expect_levels(read_bytes(png.bytes()), width, height,
                  palette.empty() ? colors_of(png) : look_up(png.samples, palette));
  }
}

TEST_P(EveryPng, EveryTruncationAndEveryDamagedByteIsRefused) {
  Png png = random_png(color_type(), depth(), interlaced(), 5, 4);
  if (color_type() == kPalette) png.chunks = chunk("PLTE", random_palette(1 << depth()));
  const std::string whole = png.bytes();
  expect_no_truncation_is_read(whole);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    EXPECT_NE(refusal_of(damaged), "") << "byte " << at;
  }
}

TEST(Png, HiddenColorsOfTransparentPixelsDoNotShow) {
  // A drawing whose colour is black everywhere and whose shape is in alpha.
  const Png png{
      .width = 3, .height = 1, .color_type = kRgba, .samples = {0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 51}};
  EXPECT_EQ(read_bytes(png.bytes()).pixels, (std::vector<std::uint8_t>{255, 0, 204}));
}

TEST(Png, AnOpaqueAlphaChannelChangesNothing) {
  const Png png{.width = 2, .height = 1, .color_type = kGrayAlpha, .samples = {7, 255, 200, 255}};
  ImageChanges changes;
  EXPECT_EQ(read_bytes(png.bytes(), &changes).pixels, (std::vector<std::uint8_t>{7, 200}));
  EXPECT_FALSE(changes.transparency || changes.colors || changes.depth);
}

TEST(Png, SixteenBitsAreRoundedAndNotCut) {
  const Png png{.width = 6, .height = 1, .depth = 16, .samples = {0, 128, 129, 255, 65406, 65407}};
  // 65535 / 255 = 257, so that the limits between levels lie at 128.5, 385.5, ..., 65406.5.
  EXPECT_EQ(read_bytes(png.bytes()).pixels, (std::vector<std::uint8_t>{0, 0, 1, 1, 254, 255}));
}

TEST(Png, GammaProfilesAndTextsAreIgnored) {
  Png png = random_png(kGray, 8, false);
  const Gray plain = read_bytes(png.bytes());
  png.chunks = chunk("gAMA", big_endian(100000, 4)) + chunk("sBIT", "\x05") +
               chunk("tEXt", std::string("a\0b", 3)) + chunk("iCCP", std::string("name\0\0damaged", 13)) +
               chunk("prVt", "custom");
  EXPECT_EQ(read_bytes(png.bytes()).pixels, plain.pixels);
}

TEST(Png, AnimationsAreRefused) {
  Png png = random_png(kRgba, 8, false);
  const Gray plain = read_bytes(png.bytes());
  const auto control = [](unsigned frames) {
    return chunk("acTL", big_endian(frames, 4) + big_endian(0, 4));
  };
  png.chunks = control(1);
  EXPECT_EQ(read_bytes(png.bytes()).pixels, plain.pixels) << "a single frame is a picture";
  for (const unsigned frames : {2u, 300u}) {
    for (const std::string& before : {""s, chunk("gAMA", big_endian(45455, 4))}) {
      png.chunks = before + control(frames);
      expect_refusal(png.bytes(), "expected a single image, got an animation of " + std::to_string(frames) +
                                      " frames (APNG)");
    }
  }
}

// The library marks the pictures that it writes. The mark must not hinder any reader.
TEST(Png, WrittenPicturesNameTheProgram) {
  const Gray image{3, 2, {0, 50, 100, 150, 200, 255}};
  const std::filesystem::path path = written("");
  write_png(path, image);
  const std::string bytes = read_file(path);
  EXPECT_EQ(bytes.substr(33, 12 + 15), chunk("tEXt", "Software\0gpuvae"s));
  EXPECT_EQ(read_image(path).pixels, image.pixels);
}

TEST(Png, BytesAfterTheEndAreIgnored) {
  const Png png = random_png(kGray, 8, false);
  EXPECT_EQ(read_bytes(png.bytes() + "padding").pixels, read_bytes(png.bytes()).pixels);
}

TEST(Png, OrientationOfExifIsApplied) {
  Png png{.width = 2, .height = 1, .samples = {10, 20}};
  png.chunks =
      chunk("eXIf", std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26));
  ImageChanges changes;
  const Gray image = read_bytes(png.bytes(), &changes);
  EXPECT_EQ(image.width, 1);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{10, 20}));
  EXPECT_TRUE(changes.orientation);
}

TEST(Png, PixelsOutsideThePaletteAreRefused) {
  Png png{.width = 2, .height = 1, .color_type = kPalette, .samples = {1, 2}};
  png.chunks = chunk("PLTE", random_palette(2));
  expect_refusal(png.bytes(),
                 "not a readable PNG image: damaged: a pixel has colour 2, but the palette has 2 colours");
  png.chunks = "";
  expect_refusal(png.bytes(), "not a readable PNG image: ");
}

TEST(Png, SizesThatTheFileCannotHoldAreRefused) {
  Png png = random_png(kRgba, 16, false, 5, 4);
  const std::string data = chunk("IDAT", deflated(png.rows())) + kEnd;
  const auto with_size = [&](int width, int height) {
    png.width = width;
    png.height = height;
    return kSignature + png.header() + data;
  };
  expect_refusal(with_size(40'000, 40'000), "40000 x 40000 pixels, but a file of ");
  expect_refusal(with_size(1'000'000, 2000), "1000000 x 2000 pixels, but a file of ");
  expect_refusal(with_size(0, 4), "Invalid IHDR data");
  expect_refusal(with_size(-1, 4), "PNG unsigned integer out of range");
  expect_refusal(with_size(1'000'001, 1), "Invalid IHDR data");
  expect_refusal(with_size(5, 5), "not a readable PNG image: ");  // one row too few
  expect_refusal(with_size(5, 3), "not a readable PNG image: ");  // one row too many
}

TEST(Png, ChunksInAForbiddenOrderOrTwiceAreRefused) {
  const Png png = random_png(kGray, 8, false);
  const std::string data = chunk("IDAT", deflated(png.rows()));
  expect_refusal(kSignature + data + png.header() + kEnd, "not a readable PNG image: ");
  expect_refusal(kSignature + png.header() + png.header() + data + kEnd, "not a readable PNG image: ");
  expect_refusal(kSignature + png.header() + kEnd, "not a readable PNG image: ");
  expect_refusal(kSignature + png.header() + chunk("CRIT", "") + data + kEnd, "not a readable PNG image: ");
}

TEST(Png, DataMayBeSplitAnywhere) {
  Png png = random_png(kRgb, 8, true);
  const std::string packed = deflated(png.rows()), whole = png.bytes();
  std::string split = kSignature + png.header();
  for (const char byte : packed) split += chunk("IDAT", std::string(1, byte));
  EXPECT_EQ(read_bytes(split + kEnd).pixels, read_bytes(whole).pixels);
}

TEST(Png, LineEndsConvertedByATransferAreRefused) {
  const std::string whole = random_png(kGray, 8, false).bytes();
  std::string converted = whole;
  converted.erase(4, 1);
  expect_refusal(converted, "not a readable PNG image: ");
}

}  // namespace
}  // namespace gpuvae::io
