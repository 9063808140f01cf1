// Grey images: files, and the grids and sheets that the apps draw.
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

// Replaces the file at `path` whole or not at all (see AtomicFile). Throws Error "[write] path: reason".
void write_png(const std::filesystem::path& path, const Gray& image);

// A PNG, JPEG, BMP or PNM file; colours become their luminance, 16 bits become 8, transparency is ignored.
// Throws Error "[read] path: reason".
Gray read_image(const std::filesystem::path& path);

struct GridStyle {
  int gap = 0;                  // pixels of the grid between neighbouring images; none around it
  std::uint8_t background = 0;  // of gaps and of the cells that stay empty
  int zoom = 1;                 // pixels of the grid for each pixel of an image, in both directions
};

// Images side by side, row by row, at most `columns` a row. `images` is [count, height, width] with values in
// [0, 1]; values outside are clamped, NaN is black. Throws Error where sizes do not fit.
Gray image_grid(std::span<const float> images, int count, int width, int height, int columns,
                const GridStyle& style = {});

// Reconstructions right below their originals, `columns` pairs a row, on grey: a thin gap parts the two of a
// pair, a wide one the rows of pairs. Both are [count, height, width], values as for image_grid.
Gray reconstruction_sheet(std::span<const float> originals, std::span<const float> reconstructions, int count,
                          int width, int height, int columns, int zoom = 1);

}  // namespace gpuvae::io
