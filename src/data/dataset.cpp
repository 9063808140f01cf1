#include "gpuvae/data.h"

#include <future>

#include "kernels/check.h"
#include "src/data/procedural_digits.h"
#include "src/data/procedural_faces.h"
#include "src/io/idx.h"
#include "src/io/mat.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;

// The file names as published, and as some tools unpack them.
constexpr const char* kSuffixes[][2] = {{"images-idx3-ubyte", "labels-idx1-ubyte"},
                                        {"images.idx3-ubyte", "labels.idx1-ubyte"}};

constexpr const char* kFreyFile = "frey_rawface.mat";
using data::kFaceHeight, data::kFaceWidth;

std::optional<fs::path> find_file(const fs::path& folder, const std::string& prefix, int kind) {
  for (const auto& suffix : kSuffixes)
    for (const char* end : {"", ".gz"}) {
      const fs::path path = folder / (prefix + suffix[kind] + end);
      std::error_code ignored;
      if (fs::exists(path, ignored)) return path;
    }
  return {};
}

fs::path require_file(const fs::path& folder, const std::string& prefix, int kind) {
  const auto found = find_file(folder, prefix, kind);
  check(found.has_value(), file_error("mnist"), "{}: expected {}{} or {}{}.gz, found neither",
        folder.string(), prefix, kSuffixes[0][kind], prefix, kSuffixes[0][kind]);
  return *found;
}

Dataset load_part(const fs::path& folder, const std::string& prefix) {
  const fs::path image_path = require_file(folder, prefix, 0), label_path = require_file(folder, prefix, 1);
  const io::IdxImages images = io::read_idx_images(image_path);
  Dataset set;
  set.labels = io::read_idx_labels(label_path);
  check(static_cast<std::int64_t>(set.labels.size()) == images.count, file_error("mnist"),
        "{}: expected {} labels, one per image of {}, got {}", label_path.string(), images.count,
        image_path.string(), set.labels.size());
  set.height = static_cast<int>(images.rows);
  set.width = static_cast<int>(images.columns);
  set.examples = images.pixels;
  return set;
}

Dataset procedural_part(std::int64_t first, std::int64_t count) {
  data::Digits digits = data::make_procedural_digits(first, count);
  return {28, 28, Tensor::from(digits.images, {count, 784}), std::move(digits.labels)};
}

// The first 1,800 of 1,965 frames of a video are for training, the others for validation. Videos of another
// length are split in the same proportion.
Split split_frames(const Dataset& frames, std::string source) {
  const std::int64_t train = frames.count() * 1800 / 1965;
  return {frames.slice(0, train), frames.slice(train, frames.count() - train), std::move(source)};
}

}  // namespace

Dataset Dataset::slice(std::int64_t first, std::int64_t n) const {
  Dataset part{height, width, examples.slice(first, n), {}, factor_names};
  if (!labels.empty()) part.labels.assign(labels.begin() + first, labels.begin() + first + n);
  const auto each = static_cast<std::int64_t>(factor_names.size());
  if (!factors.empty())
    part.factors.assign(factors.begin() + first * each, factors.begin() + (first + n) * each);
  return part;
}

Dataset Dataset::to(Device device) const {
  return {height, width, examples.to(device), labels, factor_names, factors};
}

bool has_mnist(const fs::path& folder) {
  for (const char* prefix : {"train-", "t10k-"})
    for (int kind : {0, 1})
      if (find_file(folder, prefix, kind)) return true;
  return false;
}

Split load_mnist(const fs::path& folder) {
  auto test = std::async(std::launch::async, load_part, folder, "t10k-");
  Dataset train = load_part(folder, "train-");
  Split split{std::move(train), test.get(), "MNIST from " + folder.string()};
  check(split.train.height == split.test.height && split.train.width == split.test.width, file_error("mnist"),
        "{}: expected test images of {}x{} like the training images, got {}x{}", folder.string(),
        split.train.height, split.train.width, split.test.height, split.test.width);
  return split;
}

Split procedural_mnist(std::int64_t train, std::int64_t test) {
  constexpr std::int64_t kTestFirst = 60000;
  check(train <= kTestFirst, "mnist", "expected at most {} procedural training digits, got {}", kTestFirst,
        train);
  return {procedural_part(0, train), procedural_part(kTestFirst, test), "built-in procedural digits"};
}

Split load_frey(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? path / kFreyFile : path;
  const io::MatBytes faces = io::read_mat_u8(file, "ff");
  check(faces.rows == kFaceHeight * kFaceWidth && faces.columns >= 2, file_error("frey"),
        "{}: expected ff of 560 x n (n >= 2), got {} x {}", file.string(), faces.rows, faces.columns);
  // The matrix is column-major with one image per column, so its data are already the rows of a row-major
  // tensor.
  return split_frames({kFaceHeight, kFaceWidth, Tensor::from(faces.values, {faces.columns, faces.rows}), {}},
                      "Frey Face from " + file.string());
}

bool has_frey(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kFreyFile, ignored);
}

Split procedural_frey() {
  data::Faces faces = data::make_procedural_faces(0, data::kProceduralFaces);
  return split_frames({kFaceHeight,
                       kFaceWidth,
                       Tensor::from(faces.images, {data::kProceduralFaces, kFaceHeight * kFaceWidth}),
                       {},
                       {"pose", "smile"},
                       std::move(faces.factors)},
                      "built-in procedural faces");
}

}  // namespace gpuvae
