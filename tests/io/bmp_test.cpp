// BMP files, written byte by byte.
#include <random>

#include "tests/io/image_bytes.h"

namespace gpuvae::io {
namespace {

struct Bmp {
  int width = 11, height = 5, bits = 24;
  int header = 40;
  bool top_down = false;
  std::vector<unsigned> samples = {};  // [height, width]: an index, or 0xAARRGGBB
  std::string palette = {};            // blue, green, red, and 0 unless the header has 12 bytes
  unsigned colors = 0;                 // as declared; 0 means all
  std::string masks = {};              // red, green, blue and opacity

  std::string info() const {
    const auto n = [](std::int64_t value, int bytes) {
      return little_endian(static_cast<std::uint64_t>(value), bytes);
    };
    if (header == 12) return n(12, 4) + n(width, 2) + n(height, 2) + n(1, 2) + n(bits, 2);
    std::string text = n(header, 4) + n(width, 4) + n(top_down ? -height : height, 4) + n(1, 2) + n(bits, 2) +
                       n(masks.empty() ? 0 : 3, 4) + n(0, 4) + n(2835, 4) + n(2835, 4) + n(colors, 4) +
                       n(0, 4) + masks;
    text.resize(std::max(text.size(), static_cast<std::size_t>(header)), '\0');
    return text;
  }
  std::string rows() const {
    std::string text;
    for (int row = 0; row < height; ++row) {
      const int y = top_down ? row : height - 1 - row;
      std::string bytes;
      unsigned packed = 0, used = 0;
      for (int x = 0; x < width; ++x) {
        const unsigned sample = samples[static_cast<std::size_t>(y * width + x)];
        if (bits >= 24) {
          bytes += little_endian(sample, bits / 8);
          continue;
        }
        packed = packed << bits | sample;
        used += static_cast<unsigned>(bits);
        if (used == 8) {
          bytes += static_cast<char>(packed);
          packed = used = 0;
        }
      }
      if (used > 0) bytes += static_cast<char>(packed << (8 - used));
      bytes.resize((bytes.size() + 3) / 4 * 4, '\x55');
      text += bytes;
    }
    return text;
  }
  std::string bytes() const {
    const std::string start = info() + palette, pixels = rows();
    const auto offset = 14 + start.size();
    return "BM" + little_endian(offset + pixels.size(), 4) + little_endian(0, 4) + little_endian(offset, 4) +
           start + pixels;
  }
};

Bmp random_bmp(int bits, int header = 40) {
  Bmp bmp{.bits = bits, .header = header};
  std::mt19937 random(static_cast<unsigned>(bits));
  for (int i = 0; i < bmp.width * bmp.height; ++i)
    bmp.samples.push_back(random() & (bits >= 24 ? 0xFFFFFF : (1u << bits) - 1));
  if (bits <= 8)
    for (int i = 0; i < 1 << bits; ++i) {
      bmp.palette += little_endian(random(), 3);
      if (header != 12) bmp.palette += '\0';
    }
  return bmp;
}

Color from_word(std::uint64_t bgr, double alpha = 1) {
  return {static_cast<double>(bgr >> 16 & 255) / 255, static_cast<double>(bgr >> 8 & 255) / 255,
          static_cast<double>(bgr & 255) / 255, alpha};
}
std::vector<Color> bmp_colors(const Bmp& bmp) {
  std::vector<Color> colors;
  for (const unsigned sample : bmp.samples) {
    unsigned bgr = sample;
    if (bmp.bits <= 8) {
      bgr = 0;
      for (std::size_t c = 3; c-- > 0;)
        bgr = bgr << 8 | static_cast<unsigned char>(bmp.palette[sample * (bmp.header == 12 ? 3 : 4) + c]);
    }
    colors.push_back(from_word(bgr));
  }
  return colors;
}

class EveryBmp : public testing::TestWithParam<std::tuple<int, int>> {};
INSTANTIATE_TEST_SUITE_P(, EveryBmp,
                         testing::Combine(testing::Values(1, 4, 8, 24, 32),
                                          testing::Values(12, 40, 108, 124)),
                         [](const auto& test) {
                           return "Bits" + std::to_string(std::get<0>(test.param)) + "Header" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST_P(EveryBmp, HasTheExactLevelsFromBelowAndFromAbove) {
  const auto [bits, header] = GetParam();
  Bmp bmp = random_bmp(bits, header);
  ImageChanges changes;
  expect_levels(read_bytes(bmp.bytes(), &changes), 11, 5, bmp_colors(bmp));
  EXPECT_FALSE(changes.transparency || changes.depth || changes.orientation);
  if (header == 12) return;
  bmp.top_down = true;
  expect_levels(read_bytes(bmp.bytes()), 11, 5, bmp_colors(bmp));
}

TEST_P(EveryBmp, EveryTruncationIsRefused) {
  const auto [bits, header] = GetParam();
  const std::string whole = random_bmp(bits, header).bytes();
  expect_no_truncation_is_read(whole);
  EXPECT_EQ(read_bytes(whole + "padding").pixels, read_bytes(whole).pixels);
}

TEST_P(EveryBmp, DamagedBytesNeverCrash) {
  const auto [bits, header] = GetParam();
  const std::string whole = random_bmp(bits, header).bytes();
  for (std::size_t at = 2; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (at % 3 == 0 ? 0xFF : 1 << at % 8));
    try {
      const Gray image = read_bytes(damaged);
      EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height);
    } catch (const Error&) {
    }
  }
}

TEST(Bmp, MasksChooseTheChannels) {
  Bmp bmp{.width = 2, .height = 1, .bits = 32, .samples = {0x11223344, 0xFF000080}};
  bmp.masks = little_endian(0x0000FF00, 4) + little_endian(0xFF000000, 4) + little_endian(0x00FF0000, 4);
  const std::vector<Color> opaque = {from_word(0x331122), from_word(0x00FF00)};
  expect_levels(read_bytes(bmp.bytes()), 2, 1, opaque);
  bmp.header = 108;
  bmp.masks += little_endian(0x000000FF, 4);
  ImageChanges changes;
  expect_levels(read_bytes(bmp.bytes(), &changes), 2, 1,
                {from_word(0x331122, 0x44 / 255.0), from_word(0x00FF00, 0x80 / 255.0)});
  EXPECT_TRUE(changes.transparency);
  bmp.masks =
      little_endian(0x7C00, 4) + little_endian(0x03E0, 4) + little_endian(0x001F, 4) + little_endian(0, 4);
  expect_refusal(bmp.bytes(), "expected a colour mask of one byte, got 0x00007c00");
}

TEST(Bmp, AFourthByteWithoutMeaningMustNotVary) {
  Bmp bmp{.width = 2, .height = 1, .bits = 32, .samples = {0xFF010203, 0xFF040506}};
  expect_levels(read_bytes(bmp.bytes()), 2, 1, {from_word(0x010203), from_word(0x040506)});
  bmp.samples[1] = 0x80040506;
  expect_refusal(bmp.bytes(), "32 bits without a mask for opacity, but the fourth bytes differ");
}

TEST(Bmp, SmallPalettesAreCheckedAtEveryPixel) {
  Bmp bmp{.width = 2, .height = 1, .bits = 8, .samples = {0, 2}};
  bmp.palette = little_endian(0x00000000, 4) + little_endian(0x00FFFFFF, 4);
  bmp.colors = 2;
  expect_refusal(bmp.bytes(), "damaged: a pixel has colour 2, but the palette has 2 colours");
  bmp.samples[1] = 1;
  EXPECT_EQ(read_bytes(bmp.bytes()).pixels, (std::vector<std::uint8_t>{0, 255}));
  bmp.colors = 3;
  expect_refusal(bmp.bytes(), "damaged: the palette of 3 colours reaches into the pixels");
  bmp.colors = 257;
  expect_refusal(bmp.bytes(), "damaged: expected at most 256 colours, got 257");
}

TEST(Bmp, OtherKindsAreRefused) {
  const std::string whole = random_bmp(24).bytes();
  const auto changed = [&](std::size_t at, std::uint64_t value, int bytes) {
    std::string text = whole;
    return text.replace(at, static_cast<std::size_t>(bytes), little_endian(value, bytes));
  };
  expect_refusal(changed(28, 16, 2), "got 16 bits with compression 0");
  expect_refusal(changed(30, 1, 4), "got 24 bits with compression 1");
  expect_refusal(changed(14, 39, 4), "expected a header of 12 or 40 to 124 bytes, got 39");
  expect_refusal(changed(10, 20, 4), "damaged: the pixels begin at byte 20, inside the header");
  expect_refusal(changed(18, 0, 4), "expected at least one pixel, got 0 x 5");
  expect_refusal(changed(18, 1'000'000, 4), "1000000 x 5 pixels, but a file of ");
  expect_refusal(changed(18, 0x7FFFFFFF, 4), "expected fewer than 2^31 pixels");
  expect_refusal(changed(22, 0x80000000, 4), "expected fewer than 2^31 pixels");
}

}  // namespace
}  // namespace gpuvae::io
