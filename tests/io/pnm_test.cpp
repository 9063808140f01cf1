// PBM, PGM and PPM files, written byte by byte.
#include <random>

#include "tests/io/image_bytes.h"

namespace gpuvae::io {
namespace {

constexpr int kPnmWidth = 13, kPnmHeight = 7;

struct Pnm {
  int kind = 5;  // the digit after P
  unsigned max = 255;
  std::vector<unsigned> samples = {};

  int channels() const { return kind % 3 == 0 ? 3 : 1; }
  std::string header(const std::string& comment = "") const {
    const std::string size = std::to_string(kPnmWidth) + " " + std::to_string(kPnmHeight);
    return "P" + std::to_string(kind) + "\n" + comment + size + "\n" +
           (kind % 3 == 1 ? "" : std::to_string(max) + "\n");
  }
  std::string pixels() const {
    std::string text;
    if (kind == 4) {
      for (int y = 0; y < kPnmHeight; ++y)
        for (int byte = 0; byte < (kPnmWidth + 7) / 8; ++byte) {
          unsigned bits = 0;
          for (int x = 8 * byte; x < 8 * byte + 8; ++x)
            bits = bits << 1 |
                   (x < kPnmWidth ? samples[static_cast<std::size_t>(y * kPnmWidth + x)] : 1);  // any padding
          text += static_cast<char>(bits);
        }
      return text;
    }
    for (const unsigned sample : samples)
      text += kind < 4 ? std::to_string(sample) + " " : big_endian(sample, max > 255 ? 2 : 1);
    return text;
  }
  std::string bytes() const { return header() + pixels(); }
  std::vector<Color> colors() const {
    std::vector<Color> colors;
    const double m = max;
    for (std::size_t i = 0; i < samples.size(); i += static_cast<std::size_t>(channels())) {
      const unsigned* s = &samples[i];
      if (kind % 3 == 1) {
        colors.push_back({1.0 - s[0], 1.0 - s[0], 1.0 - s[0]});
      } else if (kind % 3 == 2) {
        colors.push_back({s[0] / m, s[0] / m, s[0] / m});
      } else {
        colors.push_back({s[0] / m, s[1] / m, s[2] / m});
      }
    }
    return colors;
  }
};

Pnm random_pnm(int kind, unsigned max) {
  Pnm pnm{.kind = kind, .max = max};
  std::mt19937 random(max);
  for (int i = 0; i < kPnmWidth * kPnmHeight * pnm.channels(); ++i)
    pnm.samples.push_back(random() % (max + 1));
  pnm.samples[0] = max;
  return pnm;
}

class EveryPnm : public testing::TestWithParam<std::tuple<int, unsigned>> {
 protected:
  Pnm pnm() const { return random_pnm(std::get<0>(GetParam()), std::get<1>(GetParam())); }
};
std::string pnm_name(const testing::TestParamInfo<std::tuple<int, unsigned>>& test) {
  return "P" + std::to_string(std::get<0>(test.param)) + "To" + std::to_string(std::get<1>(test.param));
}
INSTANTIATE_TEST_SUITE_P(Bits, EveryPnm, testing::Combine(testing::Values(1, 4), testing::Values(1u)),
                         pnm_name);
INSTANTIATE_TEST_SUITE_P(Samples, EveryPnm,
                         testing::Combine(testing::Values(2, 3, 5, 6),
                                          testing::Values(1u, 2u, 3u, 15u, 100u, 254u, 255u, 256u, 1000u,
                                                          4095u, 65534u, 65535u)),
                         pnm_name);

TEST_P(EveryPnm, HasTheExactLevels) {
  ImageChanges changes;
  expect_levels(read_bytes(pnm().bytes(), &changes), kPnmWidth, kPnmHeight, pnm().colors());
  EXPECT_EQ(changes.colors, pnm().channels() == 3);
  EXPECT_EQ(changes.depth, pnm().max > 255);
  EXPECT_FALSE(changes.transparency || changes.orientation);
}

TEST_P(EveryPnm, EveryTruncationIsRefused) {
  // P1 needs no white space at the end, so the last space of its pixels can go.
  const std::string whole = pnm().bytes();
  expect_no_truncation_is_read(pnm().kind == 1 ? whole.substr(0, whole.size() - 1) : whole);
}

TEST_P(EveryPnm, MoreThanOneImageIsRefused) {
  const std::string whole = pnm().bytes();
  EXPECT_NE(refusal_of(whole + whole), "");
  if (pnm().kind > 3) {
    expect_refusal(whole + "\n", "bytes of pixels, got ");
  } else {
    EXPECT_EQ(read_bytes(whole + "\n# a comment").pixels, read_bytes(whole).pixels);
  }
}

TEST_P(EveryPnm, CommentsAndWhiteSpaceMayStandInTheHeader) {
  const Pnm plain = pnm();
  const Gray expected = read_bytes(plain.bytes());
  EXPECT_EQ(read_bytes(plain.header("# drawn by hand: 3 4 5\n#\n\t") + plain.pixels()).pixels,
            expected.pixels);
  std::string tight = plain.header();
  tight.replace(2, 1, "#comment\r");
  EXPECT_EQ(read_bytes(tight + plain.pixels()).pixels, expected.pixels);
}

TEST_P(EveryPnm, SamplesBeyondTheMaximumAreRefused) {
  Pnm wrong = pnm();
  if (wrong.kind % 3 == 1 || wrong.max == 255 || wrong.max == 65535)
    return;                                  // no larger sample can be written
  const std::size_t at = 2 * kPnmWidth + 3;  // of pixels
  wrong.samples[at * static_cast<std::size_t>(wrong.channels())] = wrong.max + 1;
  expect_refusal(wrong.bytes(), "not a readable PNM image: expected samples of at most " +
                                    std::to_string(wrong.max) + ", got " + std::to_string(wrong.max + 1) +
                                    " in row 2, column 3");
}

TEST(Pnm, BigEndianSamplesOfTwoBytesAreScaled) {
  EXPECT_EQ(read_bytes(std::string("P5 3 1 65535\n\x00\x00\x80\x00\xFF\xFF", 19)).pixels,
            (std::vector<std::uint8_t>{0, 128, 255}));
}

TEST(Pnm, BitsOfP1NeedNoWhiteSpace) {
  EXPECT_EQ(read_bytes("P1 4 1 0110").pixels, (std::vector<std::uint8_t>{255, 0, 0, 255}));
  expect_refusal("P1 4 1 0120", "expected 0 or 1 at byte 9");
}

TEST(Pnm, TheLastNumberMustBeWhole) {
  EXPECT_EQ(read_bytes("P2 2 1 255 10 25\n").pixels, (std::vector<std::uint8_t>{10, 25}));
  expect_refusal("P2 2 1 255 10 25", "expected white space after the last sample");
}

TEST(Pnm, LineEndsOfTwoBytesAreNotTakenForPixels) {
  expect_refusal("P5\r\n2 1\r\n255\r\nab", "expected 2 bytes of pixels, got 3");
}

TEST(Pnm, HeadersOutOfRange) {
  const auto rejects = [](const std::string& bytes, const std::string& reason) {
    expect_refusal(bytes, "not a readable PNM image: " + reason);
  };
  rejects("P5 0 4 255\n", "expected at least one pixel, got 0 x 4");
  rejects("P5 4 0 255\n", "expected at least one pixel, got 4 x 0");
  rejects("P5 1 1 0\na", "expected a maximum of 1 to 65535, got 0");
  rejects("P5 1 1 65536\nab", "expected a maximum of 1 to 65535, got 65536");
  rejects("P5 100000 100000 255\nab", "expected fewer than 2^31 pixels, got 100000 x 100000");
  rejects("P5 9999999999 9999999999 255\nab", "expected fewer than 2^31 pixels");
  rejects("P5 99999999999 1 255\nab", "expected a width of 1 to 10 decimal digits at byte 3");
  rejects("P5 -4 4 255\nab", "expected a width of 1 to 10 decimal digits at byte 3");
  rejects("P5 4 4.5 255\nab", "expected a maximum of 1 to 10 decimal digits");
  rejects("P5 1 1 255", "expected white space before the pixels");
  rejects("P5 1 1", "truncated: expected a maximum, got the end of the file");
  rejects("P54 1 255\nab", "expected a width");
  rejects("P2 40000 40000 255\n1 2 3", "damaged or truncated: 40000 x 40000 pixels, but a file of ");
  rejects("P2 2 1 255\n1 x\n", "expected a sample of 1 to 10 decimal digits at byte 13");
  rejects("P2 2 1 255\n1 -2\n", "expected a sample");
  rejects("P4 16 3\nabcde",
          "damaged or truncated: 16 x 3 pixels, but a file of 13 bytes holds at most 40 pixels");
  rejects("P4 13 3\nabcde", "truncated: expected 6 bytes of pixels, got 5");
}

}  // namespace
}  // namespace gpuvae::io
