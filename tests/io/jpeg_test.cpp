// JPEG files of every colour space, written by libjpeg's encoder at quality 100.
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "tests/io/image_bytes.h"

namespace gpuvae::io {
namespace {

constexpr int kWidth = 37, kHeight = 21;
// JPEG is lossy. At quality 100 the levels of smooth pictures differ by two at most.
constexpr double kTolerance = 2.0;

// A smooth picture with every hue.
Color color_at(int x, int y) {
  const double u = static_cast<double>(x) / (kWidth - 1), v = static_cast<double>(y) / (kHeight - 1);
  return {u, v, 0.5 * (1 - u) + 0.3 * v};
}

struct Jpeg {
  J_COLOR_SPACE input = JCS_RGB, stored = JCS_YCbCr;
  bool progressive = false, subsampled = false, adobe = true, separate_scans = false;
  std::string exif = {};  // content of the APP1 marker
};

// The samples that the encoder receives for a colour. Adobe's CMYK is inverted.
std::vector<std::uint8_t> samples_of(const Color& c, J_COLOR_SPACE space) {
  const auto byte = [](double value) { return static_cast<std::uint8_t>(std::lround(255 * value)); };
  if (space == JCS_GRAYSCALE) return {byte(exact_gray(c) / 255)};
  if (space == JCS_RGB) return {byte(c.red), byte(c.green), byte(c.blue)};
  const double black = 0.6;  // the brightness that K leaves
  return {byte(c.red), byte(c.green), byte(c.blue), byte(black)};
}

std::string encode(const Jpeg& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = kWidth;
  info.image_height = kHeight;
  info.in_color_space = kind.input;
  info.input_components = static_cast<int>(samples_of({}, kind.input).size());
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, kind.stored);
  jpeg_set_quality(&info, 100, TRUE);
  if (!kind.subsampled)
    for (int i = 0; i < info.num_components; ++i)
      info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;
  if (kind.progressive) jpeg_simple_progression(&info);
  const jpeg_scan_info scans[] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
  if (kind.separate_scans) {
    info.scan_info = scans;
    info.num_scans = 3;
  }
  if (!kind.adobe) info.write_Adobe_marker = FALSE;
  jpeg_start_compress(&info, TRUE);
  if (!kind.exif.empty())
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(kind.exif.data()),
                      static_cast<unsigned>(kind.exif.size()));
  for (int y = 0; y < kHeight; ++y) {
    std::vector<std::uint8_t> row;
    for (int x = 0; x < kWidth; ++x)
      for (const std::uint8_t sample : samples_of(color_at(x, y), kind.input)) row.push_back(sample);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

std::vector<Color> colors(double brightness = 1) {
  std::vector<Color> result;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const Color c = color_at(x, y);
      result.push_back({brightness * c.red, brightness * c.green, brightness * c.blue});
    }
  return result;
}

struct JpegKind {
  const char* name;
  J_COLOR_SPACE input, stored;
  bool subsampled = false;
};
class EveryJpeg : public testing::TestWithParam<std::tuple<JpegKind, bool>> {
 protected:
  Jpeg jpeg() const {
    const auto& [kind, progressive] = GetParam();
    return {.input = kind.input,
            .stored = kind.stored,
            .progressive = progressive,
            .subsampled = kind.subsampled};
  }
};
INSTANTIATE_TEST_SUITE_P(, EveryJpeg,
                         testing::Combine(testing::Values(JpegKind{"Gray", JCS_GRAYSCALE, JCS_GRAYSCALE},
                                                          JpegKind{"YCbCr", JCS_RGB, JCS_YCbCr},
                                                          JpegKind{"YCbCr420", JCS_RGB, JCS_YCbCr, true},
                                                          JpegKind{"Rgb", JCS_RGB, JCS_RGB},
                                                          JpegKind{"Cmyk", JCS_CMYK, JCS_CMYK},
                                                          JpegKind{"Ycck", JCS_CMYK, JCS_YCCK}),
                                          testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) +
                                  (std::get<1>(test.param) ? "Progressive" : "");
                         });

TEST_P(EveryJpeg, HasTheRightLevels) {
  const Jpeg kind = jpeg();
  ImageChanges changes;
  const Gray image = read_bytes(encode(kind), &changes);
  expect_levels(image, kWidth, kHeight, colors(kind.input == JCS_CMYK ? std::lround(255 * 0.6) / 255.0 : 1),
                kTolerance);
  EXPECT_EQ(changes.colors, kind.stored != JCS_GRAYSCALE);
  EXPECT_FALSE(changes.transparency || changes.depth || changes.orientation);
}

TEST_P(EveryJpeg, EveryTruncationIsRefused) {
  const std::string whole = encode(jpeg());
  expect_no_truncation_is_read(whole);
}

TEST_P(EveryJpeg, DamagedBytesNeverCrash) {
  const std::string whole = encode(jpeg());
  for (std::size_t at = 0; at < whole.size(); at += at < 700 ? 3 : 29) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    try {
      const Gray image = read_bytes(damaged);
      EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height);
    } catch (const Error&) {
    }
  }
}

// The content of an APP1 marker whose IFD has a width, then the orientation.
std::string exif(int orientation, bool big, int type = 3, int count = 1) {
  const auto n = [&](int value, int bytes) {
    return big ? big_endian(static_cast<unsigned>(value), bytes)
               : little_endian(static_cast<unsigned>(value), bytes);
  };
  return std::string("Exif\0\0", 6) + (big ? "MM" : "II") + n(42, 2) + n(8, 4) + n(2, 2) +  //
         n(0x0100, 2) + n(4, 2) + n(1, 4) + n(640, 4) +                                     //
         n(0x0112, 2) + n(type, 2) + n(count, 4) + n(orientation, 2) + n(0, 2) + n(0, 4);
}

TEST(JpegOrientation, TurnsRowsAndColumns) {
  const Gray upright = read_bytes(encode({.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}));
  const auto stored = [&](int row, int column) {
    return upright.pixels[static_cast<std::size_t>(row * kWidth + column)];
  };
  for (const bool big : {false, true})
    for (int orientation = 1; orientation <= 8; ++orientation) {
      ImageChanges changes;
      const Gray image = read_bytes(
          encode({.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .exif = exif(orientation, big)}),
          &changes);
      const int width = orientation < 5 ? kWidth : kHeight, height = orientation < 5 ? kHeight : kWidth;
      ASSERT_EQ(image.width, width) << orientation;
      ASSERT_EQ(image.height, height) << orientation;
      EXPECT_EQ(changes.orientation, orientation > 1);
      // The TIFF specification defines the values by the edges at which row 0 and column 0 of the file are
      // seen.
      const int last_row = kHeight - 1, last_column = kWidth - 1;
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
          const std::array<int, 9> expected{0,
                                            stored(y % kHeight, x % kWidth),
                                            stored(y % kHeight, last_column - x % kWidth),
                                            stored(last_row - y % kHeight, last_column - x % kWidth),
                                            stored(last_row - y % kHeight, x % kWidth),
                                            stored(x % kHeight, y),
                                            stored(last_row - x % kHeight, y),
                                            stored(last_row - x % kHeight, last_column - y),
                                            stored(x % kHeight, last_column - y)};
          ASSERT_EQ(image.pixels[static_cast<std::size_t>(y * width + x)],
                    expected[static_cast<std::size_t>(orientation)])
              << orientation << " at " << y << ", " << x;
        }
    }
}

TEST(JpegOrientation, OtherValuesAndDamagedBlocksChangeNothing) {
  const Jpeg plain{.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
  const Gray upright = read_bytes(encode(plain));
  const std::string good = exif(6, false);
  std::vector<std::string> blocks = {
      exif(0, false), exif(9, true), exif(6, false, 4), exif(6, true, 3, 2), "http://ns.adobe.com/xap/1.0/",
      "Exif"};
  for (std::size_t size = 1; size < good.size() - 6; ++size) blocks.push_back(good.substr(0, size));
  for (const std::string& block : blocks) {
    Jpeg kind = plain;
    kind.exif = block;
    ImageChanges changes;
    EXPECT_EQ(read_bytes(encode(kind), &changes).pixels, upright.pixels);
    EXPECT_FALSE(changes.orientation);
  }
}

TEST(Jpeg, CmykWithoutAdobesMarkerIsRefused) {
  expect_refusal(encode({.input = JCS_CMYK, .stored = JCS_CMYK, .adobe = false}),
                 "not a readable JPEG image: CMYK without Adobe's marker");
}

TEST(Jpeg, DataThatLibjpegWouldRepairAreRefused) {
  const std::string whole = encode({.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE});
  // Bytes of the pixels are missing, but the end marker is there.
  expect_refusal(whole.substr(0, whole.size() - 40) + "\xFF\xD9", "not a readable JPEG image: ");
  expect_refusal(whole.substr(0, whole.size() - 2) + "extra bytes\xFF\xD9", "extraneous bytes");
  EXPECT_EQ(read_bytes(whole + "trailer").pixels, read_bytes(whole).pixels);
}

TEST(Jpeg, SizesThatTheFileCannotHoldAreRefused) {
  std::string bytes = encode({.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE});
  const std::size_t frame = bytes.find("\xFF\xC0");  // marker, length, precision, height, width
  bytes.replace(frame + 5, 4, "\x9C\x40\x9C\x40");
  expect_refusal(bytes, "40000 x 40000 pixels, but a file of ");
}

TEST(Jpeg, ThousandsOfScansAreRefused) {
  const std::string whole = encode({.separate_scans = true});
  EXPECT_EQ(read_bytes(whole).width, kWidth);
  const std::size_t scan = whole.find("\xFF\xDA");
  std::size_t end = scan + 2;
  while (whole[end] != '\xFF' || whole[end + 1] == '\0') ++end;
  std::string many = whole.substr(0, scan);
  for (int i = 0; i < 600; ++i) many += whole.substr(scan, end - scan);
  expect_refusal(many + whole.substr(scan), "more than 500 scans");
}

TEST(Jpeg, OtherPrecisionsAndCodingsAreRefused) {
  const std::string whole = encode({.input = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE});
  const std::size_t frame = whole.find("\xFF\xC0");
  std::string changed = whole;
  changed[frame + 4] = 12;  // bits per sample
  expect_refusal(changed, "not a readable JPEG image: Unsupported JPEG data precision 12");
  changed = whole;
  changed[frame + 1] = '\xC3';  // lossless
  expect_refusal(changed, "not a readable JPEG image: ");
  changed[frame + 1] = '\xC9';  // arithmetic coding
  expect_refusal(changed, "not a readable JPEG image: ");
}

}  // namespace
}  // namespace gpuvae::io
