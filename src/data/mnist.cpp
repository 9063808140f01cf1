// MNIST and the data sets that are published in its format.
#include <fmt/ranges.h>

#include <algorithm>
#include <future>
#include <map>

#include "gpuvae/data.h"
#include "kernels/check.h"
#include "src/data/file_examples.h"
#include "src/data/readers.h"
#include "src/data/values.h"
#include "src/io/idx.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;

// The endings of the file names, as published and as some tools rename them.
constexpr const char* kImageEnds[] = {"-images-idx3-ubyte", "-images.idx3-ubyte"};
constexpr const char* kLabelEnds[] = {"-labels-idx1-ubyte", "-labels.idx1-ubyte", "-labels-idx2-int",
                                      "-labels.idx2-int"};
constexpr const char* kTrainNames[] = {"train"};
constexpr const char* kTestNames[] = {"t10k", "test"};

std::optional<fs::path> find_file(const fs::path& folder, const std::string& stem,
                                  std::span<const char* const> ends) {
  for (const char* end : ends)
    for (const char* gz : {"", ".gz"}) {
      const fs::path path = folder / (stem + end + gz);
      std::error_code ignored;
      if (fs::exists(path, ignored)) return path;
    }
  return {};
}

// Returns what stands before a part's name in the name of one of its files: "emnist-digits-" for
// "emnist-digits-train-images-idx3-ubyte.gz", and "" for MNIST itself.
std::optional<std::string> prefix_of(std::string file) {
  if (file.ends_with(".gz")) file.resize(file.size() - 3);
  const auto drop_end = [&](std::string_view end) {
    if (!file.ends_with(end)) return false;
    file.resize(file.size() - end.size());
    return true;
  };
  if (std::ranges::none_of(kImageEnds, drop_end) && std::ranges::none_of(kLabelEnds, drop_end)) return {};
  for (const char* part : {"train", "t10k", "test"})
    if (drop_end(part)) return file.empty() || file.ends_with('-') ? std::optional(file) : std::nullopt;
  return {};
}

// The prefixes of all data sets in a folder, sorted.
std::vector<std::string> prefixes_in(const fs::path& folder) {
  std::vector<std::string> prefixes;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (const auto prefix = prefix_of(it->path().filename().string())) prefixes.push_back(*prefix);
  std::ranges::sort(prefixes);
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  return prefixes;
}

// One part of a data set and its files. `labels` is empty if there are none.
struct Part {
  std::string stem;  // "train", "t10k" or "test", with the prefix in front
  fs::path images, labels;
  Dataset set = {};
  std::vector<std::string> notes = {};
};

[[noreturn]] void fail_missing(const fs::path& folder, const std::string& file) {
  fail(file_error("mnist"), "{}: expected {} or {}.gz, found neither", folder.string(), file, file);
}

void read_images(Part& part, Placement placement) {
  const std::string path = part.images.string();
  const auto array = data::kept_in_file(part.images, placement, io::open_idx_images, part.notes);
  if (array) {
    const std::vector<std::int64_t>& sizes = array->layout().shape;
    const data::Rows rows{.path = path,
                          .height = data::to_int(path, sizes[1]),
                          .width = data::to_int(path, sizes[2]),
                          .origin = data::Origin::pixels,
                          .values = data::FileValues{array, array->elements()}};
    part.set.height = rows.height;
    part.set.width = rows.width;
    part.set.source = data::file_examples(rows, data::kByteRange, {});
    return;
  }
  const io::IdxImages images = io::read_idx_images(part.images);
  part.set.height = data::to_int(path, images.rows);
  part.set.width = data::to_int(path, images.columns);
  part.set.examples = images.pixels;
}

Part load_part(const fs::path& folder, const std::string& prefix, std::span<const char* const> names,
               Placement placement) {
  for (const char* name : names) {
    const auto images_file = find_file(folder, prefix + name, kImageEnds);
    if (!images_file) continue;
    Part part{prefix + name, *images_file, find_file(folder, prefix + name, kLabelEnds).value_or("")};
    read_images(part, placement);
    if (!part.labels.empty()) part.set.labels = data::read_labels(part.labels, part.set.count(), part.images);
    return part;
  }
  fail_missing(folder, prefix + names[0] + kImageEnds[0]);
}

data::Rows mnist_rows(const Dataset& images, const std::string& path) {
  data::Rows rows{
      .path = path, .height = images.height, .width = images.width, .origin = data::Origin::pixels};
  if (images.source) {
    rows.values = data::first_values(*images.source);
  } else {
    const auto* bytes = images.examples.data_as<std::uint8_t>();
    rows.values = std::vector<std::uint8_t>(bytes, bytes + images.examples.elements());
  }
  rows.labels = images.labels;
  return rows;
}

// Either both parts have labels or neither does: if only one part lacks them, they were probably not
// downloaded.
void check_labels(const fs::path& folder, const Part& train, const Part& test) {
  if (train.labels.empty() == test.labels.empty()) return;
  fail_missing(folder, (train.labels.empty() ? train : test).stem + kLabelEnds[0]);
}

}  // namespace

bool has_mnist(const fs::path& folder) { return !prefixes_in(folder).empty(); }

Split load_mnist(const fs::path& folder, Placement placement) {
  const std::vector<std::string> prefixes = prefixes_in(folder);
  check(
      prefixes.size() <= 1 || prefixes[0].empty(), file_error("mnist"),
      "{}: expected the files of one data set, got {}: give the path of one image file, or a folder per set",
      folder.string(), fmt::join(prefixes, ", "));
  const std::string prefix = prefixes.empty() ? "" : prefixes[0];
  auto loading =
      std::async(std::launch::async, [&] { return load_part(folder, prefix, kTestNames, placement); });
  Part train = load_part(folder, prefix, kTrainNames, placement), test = loading.get();
  check_labels(folder, train, test);
  Split split{std::move(train.set), std::move(test.set), {}};
  split.source = fmt::format("{} from {}", prefix.empty() ? "MNIST" : prefix.substr(0, prefix.size() - 1),
                             folder.string());
  check(split.train.height == split.test.height && split.train.width == split.test.width, file_error("mnist"),
        "{}: expected test images of {}x{} like the training images, got {}x{}", folder.string(),
        split.train.height, split.train.width, split.test.height, split.test.width);
  split.description = {.height = split.train.height, .width = split.train.width, .values = data::kByteRange};
  if (train.labels.empty()) split.notes.push_back(folder.string() + ": there are no labels");
  data::note_transposed(train.images, split.notes);
  split.notes.insert(split.notes.end(), train.notes.begin(), train.notes.end());
  split.notes.insert(split.notes.end(), test.notes.begin(), test.notes.end());
  return split;
}

namespace data {

std::vector<std::uint8_t> read_labels(const fs::path& path, std::int64_t count, const fs::path& images) {
  std::vector<std::uint8_t> labels = io::read_idx_labels(path);
  check(std::ssize(labels) == count, file_error("read"),
        "{}: expected {} labels, one per image of {}, got {}", path.string(), count, images.string(),
        labels.size());
  return labels;
}

// The names do not show whether the images were transposed after publication, so the images are not changed.
void note_transposed(const fs::path& images, std::vector<std::string>& notes) {
  if (!images.filename().string().starts_with("emnist-")) return;
  notes.push_back(
      fmt::format("{}: the published images of EMNIST have rows and columns swapped; they are used as stored",
                  images.string()));
}

Source source_of(Split split, const fs::path& path) {
  Source source{.rows = mnist_rows(split.train, path.string()),
                .test = mnist_rows(split.test, path.string())};
  source.description = std::move(split.source);
  source.rows.notes = std::move(split.notes);
  return source;
}

}  // namespace data
}  // namespace gpuvae
