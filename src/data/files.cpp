// load_dataset: detects the kind of file or folder at a path and reads its rows.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cmath>
#include <system_error>

#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/data/image_notes.h"
#include "src/data/mat_rows.h"
#include "src/data/rows.h"
#include "src/io/idx.h"
#include "src/io/image.h"
#include "src/io/input.h"
#include "src/io/npy.h"
#include "src/io/table.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;
using data::Rows;

constexpr const char* kSupported =
    "a folder with MNIST's four files, a folder of images, an IDX file of images, .npy, .mat, or a table "
    "(.csv, .tsv, .txt); files other than .mat may be compressed (.gz)";

// Returns the last component of a path, such as "SUSY.csv", also for a folder whose path ends with a slash.
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
}

// ---- IDX ----

// An IDX file begins with two zero bytes, a type and a number of dimensions. No text or NPY file begins like
// this.
bool begins_like_idx(const fs::path& path) {
  std::array<std::uint8_t, 4> magic{};
  if (io::InputFile(path).read(magic) < magic.size()) return false;
  return magic[0] == 0 && magic[1] == 0 && magic[2] >= 8 && magic[2] <= 14 && magic[3] >= 1 && magic[3] <= 4;
}

// Returns the label file beside an image file, plain or compressed: "train-labels-idx1-ubyte" or its .gz for
// "train-images-idx3-ubyte.gz". The path is empty if there is no such file.
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t word = name.rfind("images");
  if (word == std::string::npos) return {};
  name.replace(word, 6, "labels");
  if (const std::size_t kind = name.rfind("idx3"); kind != std::string::npos) name.replace(kind, 4, "idx1");
  const std::string other = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const std::string& candidate : {name, other})
    if (std::error_code none; fs::is_regular_file(images.parent_path() / candidate, none))
      return images.parent_path() / candidate;
  return {};
}

Split load_idx(const fs::path& path, const DatasetOptions& options) {
  check_unlabelled(path, options);
  const io::IdxImages images = io::read_idx_images(path);
  Rows rows{.path = path.string(), .bytes = true};
  rows.height = to_int(rows.path, images.rows);
  rows.width = to_int(rows.path, images.columns);
  const auto* pixels = images.pixels.data_as<std::uint8_t>();
  rows.u8.assign(pixels, pixels + images.pixels.elements());
  if (const fs::path labels = labels_beside(path); !labels.empty()) {
    rows.labels = io::read_idx_labels(labels);
    check(static_cast<std::int64_t>(rows.labels.size()) == images.count, file_error("read"),
          "{}: expected {} labels, one per image of {}, got {}", labels.string(), images.count, rows.path,
          rows.labels.size());
  }
  std::string source = fmt::format("{}: {} x {} bytes", short_name(path), images.rows, images.columns);
  return split_rows(std::move(rows), options, std::move(source));
}

// Loads the four files of MNIST, which define the split into training and test images.
Split load_mnist_folder(const fs::path& path, const DatasetOptions& options) {
  check_unlabelled(path, options);
  Split split = load_mnist(path);
  for (Dataset* part : {&split.train, &split.test})
    if (options.max_rows > 0 && part->count() > options.max_rows) *part = part->slice(0, options.max_rows);
  return split;
}

// ---- NPY ----

Split load_npy(const fs::path& path, const DatasetOptions& options) {
  check_unlabelled(path, options);
  io::NpyArray array = io::read_npy(path);
  std::vector<std::int64_t> extents = array.shape;
  Rows rows{.path = path.string(), .bytes = array.bytes};
  check(extents.size() >= 2, file_error("read"),
        "{}: expected an array of 2 or more dimensions, rows first, got ({})", rows.path,
        fmt::join(extents, ", "));
  check(extents[0] >= 1, file_error("read"), "{}: expected 1 to 2^31-1 rows, got {}", rows.path, extents[0]);
  if (extents.size() == 4 && extents[3] == 1) {
    extents.pop_back();
  } else if (extents.size() == 4 && extents[1] == 1) {
    extents.erase(extents.begin() + 1);
  }
  const std::size_t elements = array.bytes ? array.u8.size() : array.f32.size();
  const int row_size = to_int(rows.path, static_cast<std::int64_t>(elements) / extents[0]);
  rows.height = extents.size() == 3 ? static_cast<int>(extents[1]) : 1;
  rows.width = row_size / rows.height;
  rows.u8 = std::move(array.u8);
  rows.f32 = std::move(array.f32);
  std::string source =
      fmt::format("{}: {} {}", short_name(path), fmt::join(extents.begin() + 1, extents.end(), " x "),
                  array.bytes ? "bytes" : "floats");
  return split_rows(std::move(rows), options, std::move(source));
}

// ---- tables ----

std::size_t find_column(const std::string& path, const io::Table& table, const std::string& label) {
  const auto named = std::ranges::find(table.columns, label);
  if (named != table.columns.end()) return static_cast<std::size_t>(named - table.columns.begin());
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (error == std::errc() && stop == label.data() + label.size() && number < table.columns.size())
    return number;
  constexpr std::size_t kMaxNames = 50;
  const auto shown = std::span(table.columns).first(std::min(kMaxNames, table.columns.size()));
  fail(file_error("read"), "{}: expected label column '{}' among the {} columns, got {}{}", path, label,
       table.columns.size(), fmt::join(shown, ", "), shown.size() < table.columns.size() ? ", ..." : "");
}

// Removes the label column from the table and returns its values.
std::vector<std::uint8_t> take_labels(const std::string& path, io::Table& table, std::size_t label) {
  const std::size_t columns = table.columns.size();
  std::vector<std::uint8_t> labels;
  labels.reserve(static_cast<std::size_t>(table.rows));
  float* kept = table.values.data();
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    const float value = table.values[i];
    if (i % columns != label) {
      *kept++ = value;
      continue;
    }
    check(value >= 0 && value <= 255 && value == std::trunc(value), file_error("read"),
          "{}: expected whole numbers from 0 to 255 as labels, got {} in row {} (from 0), column '{}'", path,
          value, i / columns, table.columns[label]);
    labels.push_back(static_cast<std::uint8_t>(value));
  }
  table.values.resize(static_cast<std::size_t>(kept - table.values.data()));
  table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(label));
  return labels;
}

Split load_table(const fs::path& path, const DatasetOptions& options) {
  io::Table table = io::read_csv(path, options.max_rows);
  Rows rows{.path = path.string()};
  std::string labelled;
  if (!options.label_column.empty()) {
    const std::size_t label = find_column(rows.path, table, options.label_column);
    labelled = fmt::format(", labels from '{}'", table.columns[label]);
    rows.labels = take_labels(rows.path, table, label);
    check(!table.columns.empty(), file_error("read"), "{}: expected columns beside the labels, got none",
          rows.path);
  }
  rows.width = to_int(rows.path, static_cast<std::int64_t>(table.columns.size()));
  rows.f32 = std::move(table.values);
  rows.columns = std::move(table.columns);
  std::string source = fmt::format("{}: {} columns{}", short_name(path), rows.width, labelled);
  return split_rows(std::move(rows), options, std::move(source));
}

// ---- folders of images ----

struct Entries {
  std::vector<fs::path> files, folders;  // sorted by name, without hidden entries
};

Entries list(const fs::path& folder) {
  Entries entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) continue;
    std::error_code broken_link;
    (it->is_directory(broken_link) ? entries.folders : entries.files).push_back(it->path());
  }
  check(!error, file_error("read"), "{}: {}", folder.string(), error.message());
  std::ranges::sort(entries.files);
  std::ranges::sort(entries.folders);
  return entries;
}

void append_image(Rows& rows, const fs::path& file, const fs::path& first, data::ImageNotes& notes) {
  io::ImageChanges changes;
  const io::Gray image = io::read_image(file, &changes);
  notes.add(changes);
  if (rows.u8.empty()) {
    rows.height = image.height;
    rows.width = image.width;
  }
  check(image.height == rows.height && image.width == rows.width, file_error("read"),
        "{}: expected {} x {} pixels (height x width) like {}, got {} x {}", file.string(), rows.height,
        rows.width, first.filename().string(), image.height, image.width);
  rows.u8.insert(rows.u8.end(), image.pixels.begin(), image.pixels.end());
}

// The images of a folder, or those of its sub-folders, each of which is then a class.
struct Listing {
  std::vector<fs::path> files;
  std::vector<std::uint8_t> labels;
  std::vector<std::string> classes;
};

Listing list_images(const fs::path& folder) {
  Entries top = list(folder);
  const std::string path = folder.string();
  check(!top.files.empty() || !top.folders.empty(), file_error("read"),
        "{}: expected images, got an empty folder", path);
  if (top.folders.empty()) return {.files = std::move(top.files), .labels = {}, .classes = {}};
  if (!top.files.empty())
    fail(file_error("read"), "{}: expected either images or sub-folders (classes), got both: {} and {}", path,
         top.files[0].filename().string(), top.folders[0].filename().string());
  check(top.folders.size() <= 256, file_error("read"), "{}: expected at most 256 classes, got {}", path,
        top.folders.size());
  Listing listing;
  for (const fs::path& sub : top.folders) {
    const Entries entries = list(sub);
    if (!entries.folders.empty())
      fail(file_error("read"), "{}: expected an image, got a folder", entries.folders[0].string());
    check(!entries.files.empty(), file_error("read"), "{}: expected images, got an empty folder",
          sub.string());
    listing.files.insert(listing.files.end(), entries.files.begin(), entries.files.end());
    listing.labels.resize(listing.files.size(), static_cast<std::uint8_t>(listing.classes.size()));
    listing.classes.push_back(sub.filename().string());
  }
  return listing;
}

Split load_images(const fs::path& folder, const DatasetOptions& options) {
  check_unlabelled(folder, options);
  Listing listing = list_images(folder);
  if (options.max_rows > 0 && listing.files.size() > static_cast<std::size_t>(options.max_rows))
    listing.files.resize(static_cast<std::size_t>(options.max_rows));
  Rows rows{.path = folder.string(), .bytes = true};
  data::ImageNotes notes(short_name(folder));
  for (const fs::path& file : listing.files) append_image(rows, file, listing.files[0], notes);
  rows.labels = std::move(listing.labels);
  if (!rows.labels.empty()) rows.labels.resize(listing.files.size());
  std::string source = fmt::format("{}: images of {} x {}", short_name(folder), rows.height, rows.width);
  if (!listing.classes.empty())
    source += fmt::format(", {} classes ({})", listing.classes.size(), fmt::join(listing.classes, ", "));
  rows.classes = std::move(listing.classes);
  Split split = split_rows(std::move(rows), options, std::move(source));
  notes.append_to(split.notes);
  return split;
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

Split load_dataset(const fs::path& path, const DatasetOptions& options) {
  data::check_options(options);
  std::error_code error;
  if (fs::is_directory(path, error))
    return has_mnist(path) ? load_mnist_folder(path, options) : load_images(path, options);
  check(fs::exists(path, error), file_error("read"), "{}: expected a file or folder, got none ({})",
        path.string(), error ? error.message() : "no such file");
  if (begins_like_idx(path)) return load_idx(path, options);
  const std::string kind = extension(path);
  if (kind == ".npy") return load_npy(path, options);
  if (kind == ".mat") {
    check_unlabelled(path, options);
    return data::load_mat(path, options);
  }
  if (kind == ".csv" || kind == ".tsv" || kind == ".txt") return load_table(path, options);
  fail(file_error("read"), "{}: expected {}, got {}", path.string(), kSupported,
       kind.empty() ? "a file without an extension" : fmt::format("'{}'", kind));
}

}  // namespace gpuvae
