// load_dataset: detects the kind of file or folder at a path and reads its rows.
#include <fmt/ranges.h>

#include <array>
#include <climits>
#include <system_error>

#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/data/readers.h"
#include "src/io/file_array.h"
#include "src/io/idx.h"
#include "src/io/input.h"
#include "src/io/npy.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;
using data::Rows;
using data::Source;

constexpr const char* kSupported =
    "a folder with MNIST's four files, a folder of images, an IDX file of images, .npy, .mat, or a table "
    "(.csv, .tsv, .txt); files other than .mat may be compressed (.gz)";

// ---- IDX ----

// An IDX file begins with two zero bytes, a type and a number of dimensions. No text or NPY file begins like
// this.
bool begins_like_idx(const fs::path& path) {
  std::array<std::uint8_t, 4> magic{};
  if (io::InputFile(path).read(magic) < magic.size()) return false;
  return magic[0] == 0 && magic[1] == 0 && magic[2] >= 8 && magic[2] <= 14 && magic[3] >= 1 && magic[3] <= 4;
}

// Returns the label file beside an image file, plain or compressed: "train-labels-idx1-ubyte" or QMNIST's
// "train-labels-idx2-int" for "train-images-idx3-ubyte.gz". The path is empty if there is no such file.
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t word = name.rfind("images");
  if (word == std::string::npos) return {};
  name.replace(word, 6, "labels");
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  std::vector<std::string> candidates = {name};
  if (const std::size_t kind = name.rfind("idx3"); kind != std::string::npos)
    candidates = {std::string(name).replace(kind, 4, "idx1"), name.substr(0, kind) + "idx2-int"};
  for (const std::string& candidate : candidates)
    for (const char* gz : {"", ".gz"})
      if (std::error_code none; fs::is_regular_file(images.parent_path() / (candidate + gz), none))
        return images.parent_path() / (candidate + gz);
  return {};
}

void set_shape(Rows& rows, std::int64_t height, std::int64_t width) {
  rows.height = data::to_int(rows.path, height);
  rows.width = data::to_int(rows.path, width);
}

Source read_idx(const fs::path& path, const DatasetOptions& options) {
  data::check_unlabelled(path, options);
  Source source{.rows = {.path = path.string()}};
  Rows& rows = source.rows;
  std::int64_t count = 0;
  if (const auto array = data::kept_in_file(path, options.placement, io::open_idx_images, rows.notes)) {
    const std::vector<std::int64_t>& sizes = array->layout().shape;
    set_shape(rows, sizes[1], sizes[2]);
    count = sizes[0];
    rows.values = data::FileValues{array, array->elements()};
  } else {
    const io::IdxImages images = io::read_idx_images(path);
    set_shape(rows, images.rows, images.columns);
    count = images.count;
    const auto* pixels = images.pixels.data_as<std::uint8_t>();
    rows.values = std::vector<std::uint8_t>(pixels, pixels + images.pixels.elements());
  }
  if (const fs::path labels = labels_beside(path); !labels.empty())
    rows.labels = data::read_labels(labels, count, path);
  data::note_transposed(path, rows.notes);
  source.description = fmt::format("{}: {} x {} bytes", data::short_name(path), rows.height, rows.width);
  return source;
}

// Loads the four files of MNIST, which define the split into training and test images.
Split load_mnist_folder(const fs::path& path, const DatasetOptions& options) {
  data::check_unlabelled(path, options);
  Split split = load_mnist(path, options.placement);
  for (Dataset* part : {&split.train, &split.test})
    if (options.max_rows > 0 && part->count() > options.max_rows) *part = part->slice(0, options.max_rows);
  if (!options.value_range) return split;
  data::Source source = data::source_of(std::move(split), path);
  return data::split_rows(std::move(source.rows), std::move(*source.test), options,
                          std::move(source.description));
}

// ---- NPY ----

Source read_npy(const fs::path& path, const DatasetOptions& options) {
  data::check_unlabelled(path, options);
  Source source{.rows = {.path = path.string()}};
  Rows& rows = source.rows;
  const auto file = data::kept_in_file(path, options.placement, io::open_npy, rows.notes);
  io::NpyArray array = file ? io::NpyArray{} : io::read_npy(path);
  std::vector<std::int64_t> extents = file ? file->layout().shape : array.shape;
  const bool bytes = file ? file->layout().bytes : array.bytes,
             integers = file ? file->layout().integers : array.integers;
  const auto elements = static_cast<std::int64_t>(file ? file->elements() : array.elements());
  check(extents.size() >= 2, file_error("read"),
        "{}: expected an array of 2 or more dimensions, rows first, got ({})", rows.path,
        fmt::join(extents, ", "));
  check(extents[0] >= 1, file_error("read"), "{}: expected 1 to 2^31-1 rows, got {}", rows.path, extents[0]);
  if (extents.size() == 4 && extents[3] == 1) {
    extents.pop_back();
  } else if (extents.size() == 4 && extents[1] == 1) {
    extents.erase(extents.begin() + 1);
  }
  const int row_size = data::to_int(rows.path, elements / extents[0]);
  rows.height = extents.size() == 3 ? static_cast<int>(extents[1]) : 1;
  rows.width = row_size / rows.height;
  if (file) {
    rows.values = data::FileValues{file, file->elements()};
  } else if (array.bytes) {
    rows.values = std::move(array.u8);
  } else if (array.f64.empty()) {
    rows.values = std::move(array.f32);
  } else {
    rows.values = std::move(array.f64);
  }
  source.description =
      fmt::format("{}: {} {}", data::short_name(path), fmt::join(extents.begin() + 1, extents.end(), " x "),
                  bytes      ? "bytes"
                  : integers ? "integers"
                             : "floats");
  return source;
}

// Returns the extension in lower case, without a final ".gz".
std::string extension(fs::path path) {
  const auto lower = [](const fs::path& p) {
    std::string text = p.extension().string();
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
  };
  return lower(lower(path) == ".gz" ? path.stem() : path);
}

}  // namespace

namespace data {

std::string short_name(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

int to_int(const std::string& path, std::int64_t extent) {
  check(extent > 0 && extent <= INT_MAX, file_error("read"),
        "{}: expected rows of 1 to 2^31-1 values, got {}", path, extent);
  return static_cast<int>(extent);
}

void check_unlabelled(const fs::path& path, const DatasetOptions& options) {
  check(options.label_column.empty(), file_error("read"),
        "{}: expected a table for label column '{}', got another kind of data", path.string(),
        options.label_column);
  check(options.columns.empty(), file_error("read"),
        "{}: expected a table for the columns {}, got another kind of data", path.string(),
        fmt::join(options.columns, ", "));
}

void check_placement(const fs::path& path, Placement placement) {
  check(
      placement != Placement::file, file_error("read"),
      "{}: expected an uncompressed NPY file in C order or an IDX file, whose examples can stay in the file, "
      "got other data",
      path.string());
}

std::shared_ptr<const io::FileArray> kept_in_file(
    const fs::path& path, Placement placement, std::shared_ptr<const io::FileArray> (*open)(const fs::path&),
    std::vector<std::string>& notes) {
  constexpr std::uint64_t kMaxInMemory = std::uint64_t{256} << 20;
  std::error_code error;
  if (placement == Placement::memory) return nullptr;
  if (placement == Placement::automatic && fs::file_size(path, error) <= kMaxInMemory) return nullptr;
  std::shared_ptr<const io::FileArray> array = open(path);
  if (!array) {
    check_placement(path, placement);
    return nullptr;
  }
  notes.push_back(fmt::format("{}: the examples ({:.1f} MiB) stay in the file and are read batch by batch",
                              path.string(), static_cast<double>(array->stored_bytes()) / (1 << 20)));
  return array;
}

Source read_source(const fs::path& path, const DatasetOptions& options, const DataDescription* like) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    check_placement(path, options.placement);
    return read_image_folder(path, options);
  }
  check(fs::exists(path, error), file_error("read"), "{}: expected a file or folder, got none ({})",
        path.string(), error ? error.message() : "no such file");
  if (begins_like_idx(path)) return read_idx(path, options);
  const std::string kind = extension(path);
  if (kind == ".npy") return read_npy(path, options);
  check_placement(path, options.placement);
  if (kind == ".mat") return read_mat_rows(path, options, like);
  if (kind == ".csv" || kind == ".tsv" || kind == ".txt") return read_table_rows(path, options, like);
  fail(file_error("read"), "{}: expected {}, got {}", path.string(), kSupported,
       kind.empty() ? "a file without an extension" : fmt::format("'{}'", kind));
}

}  // namespace data

Split load_dataset(const fs::path& path, const DatasetOptions& options) {
  data::check_options(options);
  std::error_code error;
  if (fs::is_directory(path, error) && has_mnist(path)) return load_mnist_folder(path, options);
  Source source = data::read_source(path, options);
  if (!source.test) return split_rows(std::move(source.rows), options, std::move(source.description));
  return split_rows(std::move(source.rows), std::move(*source.test), options, std::move(source.description));
}

}  // namespace gpuvae
