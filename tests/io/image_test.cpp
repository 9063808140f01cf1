#include "src/io/image.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::io {
namespace {

using test::error_of;
using test::TemporaryFolder;
using Pixels = std::vector<std::uint8_t>;

TEST(Png, RoundTripsEverySizeAndShade) {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair(1, 1), {1, 300}, {300, 1}, {28, 20}, {257, 3}}) {
    Gray image{width, height, Pixels(static_cast<std::size_t>(width * height))};
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 7);
    write_png(folder / "image.png", image);
    const Gray back = read_image(folder / "image.png");
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.pixels, image.pixels);
  }
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(Png, IsCompressed) {
  const TemporaryFolder folder;
  write_png(folder / "image.png", {1000, 1000, Pixels(1'000'000, 3)});
  EXPECT_LT(read_file(folder / "image.png").size(), 5000u);
}

TEST(Png, RefusesPixelsThatDoNotFitTheSize) {
  const TemporaryFolder folder;
  const std::string path = (folder / "image.png").string();
  EXPECT_EQ(error_of([&] {
              write_png(path, {2, 2, Pixels(3)});
            }),
            "[write] " + path + ": 3 pixels do not make a picture of 2 x 2");
  for (const Gray& image : {Gray{0, 0, {}}, Gray{-1, -1, Pixels(1)}, Gray{65536, 65536, {}}})
    EXPECT_NE(error_of([&] { write_png(path, image); }).find("do not make a picture"), std::string::npos);
  EXPECT_TRUE(folder.names().empty());
  EXPECT_EQ(error_of([] {
              write_png("no/such.png", {1, 1, Pixels(1)});
            }),
            "[write] no/such.png: No such file or directory");
}

TEST(ReadImage, TurnsColourIntoLuminance) {
  const TemporaryFolder folder;
  write_file(folder / "colour.ppm", std::string("P6 3 1 255\n\xff\xff\xff\x00\x00\x00\x00\xff\x00", 20));
  const Gray image = read_image(folder / "colour.ppm");
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.height, 1);
  EXPECT_EQ(image.pixels[0], 255);
  EXPECT_EQ(image.pixels[1], 0);
  EXPECT_NEAR(image.pixels[2], 0.59 * 255, 2);
}

TEST(ReadImage, TheContentDecidesTheFormat) {
  const TemporaryFolder folder;
  write_file(folder / "image.png", "P2 2 1 255 10 20\n");
  EXPECT_EQ(read_image(folder / "image.png").pixels, (Pixels{10, 20}));
}

TEST(ReadImage, NamesPathAndReason) {
  const TemporaryFolder folder;
  const std::string path = (folder / "image.png").string(), at = "[read] " + path + ": ";
  EXPECT_EQ(error_of([&] { read_image(path); }), at + "No such file or directory");
  write_png(path, {28, 28, Pixels(784, 9)});
  const std::string whole = read_file(path);
  for (const auto& [bytes, reason] : {std::pair(std::string(), "an empty file"),
                                      {"GIF89a, or so it says", "a GIF image"},
                                      {"P7\nWIDTH 1", "a PAM image"},
                                      {"text", "another format"}}) {
    write_file(path, bytes);
    EXPECT_EQ(error_of([&] { read_image(path); }),
              at + "not a readable PNG, JPEG, BMP or PNM image: " + reason);
  }
  for (const std::size_t size : {std::size_t{40}, whole.size() - 14}) {
    write_file(path, whole.substr(0, size));
    const std::string message = error_of([&] { read_image(path); });
    EXPECT_EQ(message, at + "not a readable PNG image: truncated: the file ends before the image does");
  }
}

TEST(Grid, PutsImagesRowByRowAndLeavesTheRestEmpty) {
  const std::vector<float> images = {0.0f, 1.0f, 0.2f, 0.4f, 0.6f, 0.8f};  // 3 of 2 x 1
  const Gray grid = image_grid(images, 3, 2, 1, 2, {.gap = 1, .background = 7});
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 3);
  EXPECT_EQ(grid.pixels, (Pixels{0, 255, 7, 51, 102,  //
                                 7, 7, 7, 7, 7,       //
                                 153, 204, 7, 7, 7}));
}

TEST(Grid, ZoomsImagesButNotGaps) {
  const std::vector<float> images = {0.0f, 1.0f};  // 2 of 1 x 1
  const Gray grid = image_grid(images, 2, 1, 1, 9, {.gap = 1, .background = 7, .zoom = 2});
  EXPECT_EQ(grid.width, 5);  // the seven empty columns take no space
  EXPECT_EQ(grid.pixels, (Pixels{0, 0, 7, 255, 255, 0, 0, 7, 255, 255}));
}

TEST(Grid, ClampsAndShowsNanAsBlack) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> images = {-1,  2, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(),
                                     0.5f};
  EXPECT_EQ(image_grid(images, 1, 6, 1, 1).pixels, (Pixels{0, 255, 255, 0, 0, 128}));
}

TEST(Grid, RefusesSizesThatDoNotFit) {
  const std::vector<float> images(12);
  EXPECT_EQ(error_of([&] { image_grid(images, 2, 2, 2, 1); }),
            "[image_grid] expected 2 images of 2 x 2, got 12 values");
  EXPECT_EQ(error_of([&] { image_grid({}, 0, 2, 2, 1); }),
            "[image_grid] expected at least one image of at least one pixel, got 0 of 2 x 2");
  EXPECT_EQ(error_of([&] { image_grid(images, 3, 2, 2, 0); }),
            "[image_grid] expected columns and zoom of at least 1, got 0 and 1");
  EXPECT_EQ(error_of([&] { image_grid(images, 3, 2, 2, 1, {.gap = -1}); }),
            "[image_grid] expected a gap of at least 0, got -1");
  EXPECT_EQ(error_of([&] { image_grid(images, 3, 2, 2, 1, {.zoom = 1'000'000}); }),
            "[image_grid] a picture of 2000000 x 6000000 pixels is too large");
}

TEST(ReconstructionSheet, GroupsPairsAndSeparatesRows) {
  const std::vector<float> originals = {0.2f, 0.4f, 0.6f}, reconstructions = {0.0f, 0.8f, 1.0f};
  const Gray sheet = reconstruction_sheet(originals, reconstructions, 3, 1, 1, 2);
  ASSERT_EQ(sheet.width, 3);
  ASSERT_EQ(sheet.height, 3 + 6 + 3);
  const auto row = [&](int y) { return Pixels(&sheet.pixels[y * 3], &sheet.pixels[y * 3] + 3); };
  const Pixels gap(3, 128);
  EXPECT_EQ(row(0), (Pixels{51, 128, 102}));
  EXPECT_EQ(row(1), gap);
  EXPECT_EQ(row(2), (Pixels{0, 128, 204}));
  for (int y = 3; y < 9; ++y) EXPECT_EQ(row(y), gap);
  EXPECT_EQ(row(9), (Pixels{153, 128, 128}));
  EXPECT_EQ(row(11), (Pixels{255, 128, 128}));
}

TEST(ReconstructionSheet, RefusesSizesThatDoNotFit) {
  const std::vector<float> three(3), two(2);
  EXPECT_EQ(error_of([&] { reconstruction_sheet(three, two, 3, 1, 1, 2); }),
            "[reconstruction_sheet] expected 3 images of 1 x 1, got 2 values");
  EXPECT_EQ(error_of([&] { reconstruction_sheet(three, three, 3, 1, 1, 2, 0); }),
            "[reconstruction_sheet] expected columns and zoom of at least 1, got 2 and 0");
}

}  // namespace
}  // namespace gpuvae::io
