// Grey images: reading and writing files, and the grids and sheets that the apps draw.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace gpuvae::io {

struct Gray {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // height x width, row by row from the top, 0 = black
};

// Replaces the file at `path` completely or not at all (see AtomicFile). Throws Error "[write] path: reason".
void write_png(const std::filesystem::path& path, const Gray& image);

// What read_image() did to convert an image to 8-bit grey levels.
struct ImageChanges {
  bool colors = false;        // colour channels became luminance
  bool transparency = false;  // pixels that were not opaque were blended with white
  bool depth = false;         // channels of more than 8 bits were rounded to 8
  bool orientation = false;   // the image was turned or mirrored as its EXIF orientation says
};

// Reads a PNG, JPEG, BMP or PNM file, which is detected by content. Pixels that are not opaque are blended
// with white, colours become BT.601 luminance (0.299 R + 0.587 G + 0.114 B of the encoded values, without
// gamma), and other depths are scaled to 8 bits (value * 255 / maximum). The result is rounded once. The EXIF
// orientation is applied. `changes`, if not null, receives what was done. Throws Error "[read] path: reason"
// for a file that is damaged, truncated, of another format, or too short for the size that it declares. The
// number of pixels, and with it the memory use, is limited by the file's length: at most 8256 pixels per byte
// in a PNG file, and 2048 in a JPEG file.
Gray read_image(const std::filesystem::path& path, ImageChanges* changes = nullptr);

struct GridStyle {
  int gap = 0;                  // pixels between neighbouring images; the grid has no margin
  std::uint8_t background = 0;  // grey level of gaps and empty cells
  int zoom = 1;                 // grid pixels per image pixel, in both directions
};

// Draws images side by side, row by row, with at most `columns` images per row. `images` is [count, height,
// width] with values in [0, 1]; values outside are clamped, and NaN is drawn black. Throws Error if the sizes
// do not match.
Gray image_grid(std::span<const float> images, int count, int width, int height, int columns,
                const GridStyle& style = {});

// Draws each reconstruction directly below its original, with `columns` pairs per row, on grey. A thin gap
// separates the two images of a pair, and a wide gap separates the rows of pairs. Both inputs are [count,
// height, width] with values as for image_grid().
Gray reconstruction_sheet(std::span<const float> originals, std::span<const float> reconstructions, int count,
                          int width, int height, int columns, int zoom = 1);

}  // namespace gpuvae::io
