// Examples from a matrix of a MATLAB file.
#include <fmt/ranges.h>

#include <climits>
#include <utility>

#include "kernels/check.h"
#include "src/data/procedural_faces.h"
#include "src/data/readers.h"
#include "src/io/mat.h"
#include "src/io/printable.h"

namespace gpuvae::data {
namespace {

namespace fs = std::filesystem;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kFacePixels = std::int64_t{kFaceHeight} * kFaceWidth;

// Where the examples are in a matrix. Each step is the distance between two neighbouring elements in the
// column-major data.
struct Arrangement {
  std::int64_t count = 0, height = 1, width = 0;
  std::int64_t example_step = 0, row_step = 0, column_step = 0;
  std::string text = {};  // "one example per row"
};

Arrangement rows_are_examples(const Shape& s, std::string text) {
  return {s[0], 1, s[1], 1, 0, s[0], std::move(text)};
}
Arrangement columns_are_examples(const Shape& s, std::string text) {
  return {s[1], 1, s[0], s[0], 0, 1, std::move(text)};
}

bool is_frey(const io::MatMatrix& m) {
  return m.shape.size() == 2 && m.shape[0] == kFacePixels && m.shape[1] != kFacePixels &&
         (m.bytes || m.name == "ff");
}

Arrangement arrange_matrix(const io::MatMatrix& m, bool transposed, std::int64_t features) {
  const Shape& s = m.shape;
  if (transposed) return columns_are_examples(s, "one example per column, as requested");
  const bool rows_fit = features > 0 && s[1] == features;
  if (is_frey(m) && !rows_fit) {
    Arrangement faces = columns_are_examples(
        s, fmt::format("one {} x {} image per column, as in Frey Face", kFaceHeight, kFaceWidth));
    faces.height = kFaceHeight;
    faces.width = faces.row_step = kFaceWidth;
    return faces;
  }
  if (features > 0 && s[0] == features && !rows_fit)
    return columns_are_examples(
        s, fmt::format("one example per column, because {} values per example are expected", features));
  return rows_are_examples(
      s, fmt::format("one example per row (--variable \"{}'\" takes one per column)", io::printable(m.name)));
}

// Images [h, w, n], as MATLAB's functions store them, or [n, h, w], as Python's do.
Arrangement arrange_images(const Shape& s, std::int64_t features) {
  const std::int64_t front = s[0] * s[1], back = s[1] * s[2];
  bool last = !(s[1] == s[2] && s[0] != s[1]);
  if (features > 0 && (front == features) != (back == features)) last = front == features;
  const std::int64_t height = last ? s[0] : s[1], width = last ? s[1] : s[2];
  std::string text =
      fmt::format("one {} x {} image per index of the {} dimension", height, width, last ? "last" : "first");
  if (last) return {s[2], height, width, front, 1, s[0], std::move(text)};
  return {s[0], height, width, 1, s[0], front, std::move(text)};
}

Arrangement arrange(const std::string& path, const io::MatMatrix& m, bool transposed, std::int64_t features) {
  for (const std::int64_t extent : m.shape)
    check(extent <= INT_MAX, file_error("read"), "{}: expected sizes below 2^31, got {}", path,
          fmt::join(m.shape, " x "));
  if (m.shape.size() == 2) return arrange_matrix(m, transposed, features);
  check(!transposed, file_error("read"), "{}: expected '{}' to have two dimensions to be transposed, got {}",
        path, io::printable(m.name), fmt::join(m.shape, " x "));
  Shape images = m.shape;
  if (images.size() == 4) std::erase(images, 1);  // one channel
  check(images.size() == 3, file_error("read"),
        "{}: expected '{}' to be a matrix, or images of one channel in three dimensions, got {}", path,
        io::printable(m.name), fmt::join(m.shape, " x "));
  return arrange_images(images, features);
}

// Returns the values of the examples `first`, ..., `last - 1`, row by row.
template <class T>
std::vector<T> gathered(const std::vector<T>& values, const Arrangement& a, std::int64_t first,
                        std::int64_t last) {
  std::vector<T> rows;
  rows.reserve(static_cast<std::size_t>((last - first) * a.height * a.width));
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t y = 0; y < a.height; ++y)
      for (std::int64_t x = 0; x < a.width; ++x)
        rows.push_back(
            values[static_cast<std::size_t>(i * a.example_step + y * a.row_step + x * a.column_step)]);
  return rows;
}

Rows matrix_rows(const std::string& path, const io::MatMatrix& m, const Arrangement& a, std::int64_t first,
                 std::int64_t last) {
  Rows rows{.path = path, .height = static_cast<int>(a.height), .width = static_cast<int>(a.width)};
  rows.first_row = first;
  if (m.bytes) {
    rows.values = gathered(m.u8, a, first, last);
  } else {
    rows.values = gathered(m.f64, a, first, last);
  }
  return rows;
}

}  // namespace

Source read_mat_rows(const fs::path& path, const DatasetOptions& options, const DataDescription* like) {
  check_unlabelled(path, options);
  std::string name = options.variable;
  const bool transposed = name.ends_with('\'');
  if (transposed) name.pop_back();
  const io::MatMatrix m = io::read_mat(path, name);
  const std::int64_t features = like != nullptr ? std::int64_t{like->height} * like->width : 0;
  const Arrangement a = arrange(path.string(), m, transposed, features);
  // The published file of Frey Face has a fixed split, in which the last frames are for validation.
  const bool published =
      is_frey(m) && m.bytes && m.name == "ff" && !transposed && like == nullptr && a.count >= 2;
  const std::int64_t train = published ? face_training_frames(a.count) : a.count;
  Source source{.rows = matrix_rows(path.string(), m, a, 0, train)};
  if (published) source.test = matrix_rows(path.string(), m, a, train, a.count);
  source.rows.notes.push_back(fmt::format("{}: '{}' ({}, {}) has {}", path.string(), io::printable(m.name),
                                          m.class_name, fmt::join(m.shape, " x "), a.text));
  source.description = published ? "Frey Face from " + path.string()
                                 : fmt::format("{}: {} x {} {}", short_name(path), a.height, a.width,
                                               m.bytes ? "bytes" : "numbers");
  return source;
}

}  // namespace gpuvae::data
