#include "gpuvae/data.h"

#include <fmt/ranges.h>

#include <span>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "src/data/file_examples.h"
#include "src/data/parts.h"
#include "src/data/procedural_digits.h"
#include "src/data/procedural_faces.h"
#include "src/data/values.h"
#include "src/io/mat.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFreyFile = "frey_rawface.mat";
using data::kFaceHeight, data::kFaceWidth;

Dataset procedural_part(std::int64_t first, std::int64_t count) {
  data::Digits digits = data::make_procedural_digits(first, count);
  return {28, 28, Tensor::from(digits.images, {count, 784}), std::move(digits.labels)};
}

// A hash of 64-bit words by multiplication and shift: after each word, a mixing step like the finaliser of
// MurmurHash3.
class Hash {
 public:
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15;
    state_ ^= state_ >> 32;
    state_ *= 0xC4CEB9FE1A85EC53;
    state_ ^= state_ >> 29;
  }
  void add(std::span<const std::uint8_t> bytes) {
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) add(little_endian(bytes.first(8)));
    if (!bytes.empty()) add(little_endian(bytes));
  }
  std::uint64_t value() const { return state_; }

 private:
  static std::uint64_t little_endian(std::span<const std::uint8_t> bytes) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) word |= std::uint64_t{bytes[i]} << 8 * i;
    return word;
  }
  std::uint64_t state_ = 0x243F6A8885A308D3;  // the first 64 bits of the fractional part of pi
};

DataDescription describe_images(const Dataset& images) {
  return {.height = images.height, .width = images.width, .values = data::kByteRange};
}

Split split_frames(const Dataset& frames, std::string source) {
  const std::int64_t train = data::face_training_frames(frames.count());
  return {frames.slice(0, train), frames.slice(train, frames.count() - train), std::move(source),
          describe_images(frames)};
}

}  // namespace

namespace {

// Checks that the vectors of a data set, which a caller may have filled, have one entry per example.
void check_vectors(const Dataset& set) {
  const auto fits = [&](std::size_t size, std::size_t each) {
    return size == 0 || size == static_cast<std::size_t>(set.count()) * each;
  };
  check(fits(set.labels.size(), 1), "slice", "expected {} labels, got {}", set.count(), set.labels.size());
  check(fits(set.row_numbers.size(), 1), "slice", "expected {} row numbers, got {}", set.count(),
        set.row_numbers.size());
  check(fits(set.factors.size(), set.factor_names.size()), "slice",
        "expected {} factors per example, got {} in all", set.factor_names.size(), set.factors.size());
}

}  // namespace

Dataset Dataset::slice(std::int64_t first, std::int64_t n) const {
  check_vectors(*this);
  Dataset part{height, width, {}, {}, factor_names};
  if (source) {
    part.source = data::part_of(source, first, n);
    part.batch_device = batch_device;
  } else {
    part.examples = examples.slice(first, n);
  }
  part.first_row = first_row + first;
  if (!row_numbers.empty())
    part.row_numbers.assign(row_numbers.begin() + first, row_numbers.begin() + first + n);
  if (!labels.empty()) part.labels.assign(labels.begin() + first, labels.begin() + first + n);
  const auto each = static_cast<std::int64_t>(factor_names.size());
  if (!factors.empty())
    part.factors.assign(factors.begin() + first * each, factors.begin() + (first + n) * each);
  return part;
}

Dataset Dataset::to(Device device) const {
  Dataset set = *this;
  if (!source) {
    if (examples) set.examples = examples.to(device);
    return set;
  }
  set.batch_device = device;
  const std::int64_t row_bytes = features() * static_cast<std::int64_t>(size_of(dtype()));
  if (device.is_cpu() ||
      count() > static_cast<std::int64_t>(device.backend().available_memory() / 2) / row_bytes)
    return set;
  set.examples = Tensor::empty({count(), features()}, dtype(), device);
  data::for_parts(*this, [&](const Tensor& part, std::int64_t first) {
    set.examples.slice(first, part.shape()[0]).copy_from(part);
  });
  for (std::int64_t i = 0; i < count(); ++i) set.row_numbers.push_back(row_number(i));
  set.source = nullptr;
  return set;
}

Tensor Dataset::select(std::span<const std::int64_t> numbers) const {
  for (const std::int64_t number : numbers)
    check(number >= 0 && number < count(), "select", "expected examples from 0 to {}, got {}", count() - 1,
          number);
  const Shape shape{std::ssize(numbers), features()};
  if (source) {
    const Tensor rows = Tensor::empty(shape, dtype());
    source->read(numbers, rows.data());
    return rows.to(batch_device);
  }
  const Tensor rows = Tensor::empty(shape, dtype(), device());
  for (std::int64_t i = 0; i < std::ssize(numbers); ++i)
    rows.slice(i, 1).copy_from(examples.slice(numbers[static_cast<std::size_t>(i)], 1));
  return rows;
}

std::uint64_t fingerprint(const Dataset& set) {
  Hash hash;
  for (const std::int64_t word : {set.count(), set.features(), std::int64_t{set.height},
                                  static_cast<std::int64_t>(set.dtype()), std::ssize(set.labels)})
    hash.add(static_cast<std::uint64_t>(word));
  data::for_parts(set, [&](const Tensor& part, std::int64_t) {
    hash.add({static_cast<const std::uint8_t*>(part.data()), part.bytes()});
  });
  hash.add({set.labels.data(), set.labels.size()});
  return hash.value();
}

Split procedural_mnist(std::int64_t train, std::int64_t test) {
  constexpr std::int64_t kTestFirst = 60000;
  check(train <= kTestFirst, "mnist", "expected at most {} procedural training digits, got {}", kTestFirst,
        train);
  Split split{procedural_part(0, train), procedural_part(kTestFirst, test), "built-in procedural digits"};
  split.description = describe_images(split.train);
  return split;
}

Split load_frey(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? path / kFreyFile : path;
  const io::MatMatrix faces = io::read_mat(file, "ff");
  check(faces.bytes, file_error("read"), "{}: expected 'ff' to be uint8, got {}", file.string(),
        faces.class_name);
  const std::int64_t rows = faces.shape[0], columns = faces.shape[1];
  check(faces.shape.size() == 2 && rows == kFaceHeight * kFaceWidth && columns >= 2, file_error("frey"),
        "{}: expected ff of 560 x n (n >= 2), got {}", file.string(), fmt::join(faces.shape, " x "));
  // The matrix is column-major with one image per column, so its data are already the rows of a row-major
  // tensor.
  return split_frames({kFaceHeight, kFaceWidth, Tensor::from(faces.u8, {columns, rows}), {}},
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
