#include "src/io/image.h"

#include <algorithm>
#include <climits>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/check.h"
#include "src/io/file.h"
#include "src/io/image_decoders.h"
#include "src/io/stb.h"

namespace gpuvae::io {
namespace {

// stb counts bytes in ints, and a PNG has one extra byte per row.
bool has_drawable_size(std::int64_t width, std::int64_t height) {
  return width > 0 && height > 0 && width < INT_MAX && height <= INT_MAX / (width + 1);
}

struct SheetCell {
  int width, height, zoom;  // of one image; zoom is grid pixels per image pixel

  std::size_t pixels() const { return static_cast<std::size_t>(width) * height; }
};

void check_sheet_images(std::string_view operation, std::size_t values, int count, const SheetCell& cell,
                        int columns) {
  check(count > 0 && cell.width > 0 && cell.height > 0, operation,
        "expected at least one image of at least one pixel, got {} of {} x {}", count, cell.width,
        cell.height);
  check(columns > 0 && cell.zoom > 0, operation, "expected columns and zoom of at least 1, got {} and {}",
        columns, cell.zoom);
  check(values / cell.pixels() == static_cast<std::size_t>(count) && values % cell.pixels() == 0, operation,
        "expected {} images of {} x {}, got {} values", count, cell.width, cell.height, values);
}

Gray canvas(std::string_view operation, std::int64_t width, std::int64_t height, std::uint8_t background) {
  check(has_drawable_size(width, height), operation, "a picture of {} x {} pixels is too large", width,
        height);
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height, background)};
}

// Returns the pixels along one side of n images of `size` with `gap` between them.
std::int64_t extent(std::int64_t n, std::int64_t size, std::int64_t gap) { return n * size + (n - 1) * gap; }

std::uint8_t shade(float value) {
  if (!(value > 0.0f)) return 0;  // also for NaN
  return static_cast<std::uint8_t>(std::min(value, 1.0f) * 255.0f + 0.5f);
}

void draw(Gray& onto, std::int64_t left, std::int64_t top, const SheetCell& cell, const float* image) {
  for (std::int64_t y = 0; y < std::int64_t{cell.height} * cell.zoom; ++y) {
    std::uint8_t* row = onto.pixels.data() + (top + y) * onto.width + left;
    const float* source = image + y / cell.zoom * cell.width;
    for (int x = 0; x < cell.width; ++x, row += cell.zoom) std::fill_n(row, cell.zoom, shade(source[x]));
  }
}

// Returns the likely format of a file that has none of the four supported formats.
std::string_view foreign_format(std::string_view bytes) {
  constexpr std::pair<std::string_view, std::string_view> kStarts[] = {
      {"GIF8", "a GIF image"},       {{"II*\0", 4}, "a TIFF image"}, {{"MM\0*", 4}, "a TIFF image"},
      {"RIFF", "a WebP image"},      {"P7", "a PAM image"},          {"PF", "a PFM image"},
      {"Pf", "a PFM image"},         {"%PDF", "a PDF document"},     {"<svg", "an SVG image"},
      {"\x93NUMPY", "an NPY array"}, {"\x1F\x8B", "a gzip file"},    {"PK\3\4", "a ZIP file"}};
  if (bytes.empty()) return "an empty file";
  for (const auto& [start, name] : kStarts)
    if (bytes.starts_with(start)) return name;
  return "another format";
}

// The first bytes determine the format, so a wrong file extension does no harm.
DecodedImage decode(const std::string& path, std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return decode_png({path, "PNG", bytes});
  if (bytes.starts_with("\xFF\xD8")) return decode_jpeg({path, "JPEG", bytes});
  if (bytes.starts_with("BM")) return decode_bmp({path, "BMP", bytes});
  if (bytes.size() >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6')
    return decode_pnm({path, "PNM", bytes});
  fail(file_error("read"), "{}: not a readable PNG, JPEG, BMP or PNM image: {}", path, foreign_format(bytes));
}

}  // namespace

void write_png(const std::filesystem::path& path, const Gray& image) {
  check(has_drawable_size(image.width, image.height) &&
            image.pixels.size() == static_cast<std::size_t>(image.width) * image.height,
        file_error("write"), "{}: {} pixels do not make a picture of {} x {}", path.string(),
        image.pixels.size(), image.width, image.height);
  const std::string bytes = encode_png(image);
  check(!bytes.empty(), file_error("write"), "{}: out of memory for the PNG encoder", path.string());
  write_file(path, bytes);
}

Gray read_image(const std::filesystem::path& path, ImageChanges* changes) {
  const std::string bytes = read_file(path);
  DecodedImage decoded = decode(path.string(), bytes);
  if (changes != nullptr) *changes = decoded.changes;
  return std::move(decoded.image);
}

Gray image_grid(std::span<const float> images, int count, int width, int height, int columns,
                const GridStyle& style) {
  const SheetCell cell{width, height, style.zoom};
  check_sheet_images("image_grid", images.size(), count, cell, columns);
  check(style.gap >= 0, "image_grid", "expected a gap of at least 0, got {}", style.gap);
  columns = std::min(columns, count);
  const std::int64_t across = std::int64_t{width} * cell.zoom, down = std::int64_t{height} * cell.zoom;
  Gray grid = canvas("image_grid", extent(columns, across, style.gap),
                     extent((count - 1) / columns + 1, down, style.gap), style.background);
  for (int i = 0; i < count; ++i)
    draw(grid, (i % columns) * (across + style.gap), (i / columns) * (down + style.gap), cell,
         images.data() + i * cell.pixels());
  return grid;
}

Gray reconstruction_sheet(std::span<const float> originals, std::span<const float> reconstructions, int count,
                          int width, int height, int columns, int zoom) {
  constexpr std::uint8_t kBackground = 128;  // differs from the black of digits and the white of paper
  const SheetCell cell{width, height, zoom};
  check_sheet_images("reconstruction_sheet", originals.size(), count, cell, columns);
  check_sheet_images("reconstruction_sheet", reconstructions.size(), count, cell, columns);
  columns = std::min(columns, count);
  const std::int64_t thin = zoom, wide = 6 * thin;
  const std::int64_t across = std::int64_t{width} * zoom, down = std::int64_t{height} * zoom;
  const std::int64_t pair = extent(2, down, thin);
  Gray sheet = canvas("reconstruction_sheet", extent(columns, across, thin),
                      extent((count - 1) / columns + 1, pair, wide), kBackground);
  for (int i = 0; i < count; ++i) {
    const std::int64_t left = (i % columns) * (across + thin), top = (i / columns) * (pair + wide);
    draw(sheet, left, top, cell, originals.data() + i * cell.pixels());
    draw(sheet, left, top + down + thin, cell, reconstructions.data() + i * cell.pixels());
  }
  return sheet;
}

}  // namespace gpuvae::io
