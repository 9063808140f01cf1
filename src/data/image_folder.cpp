// Folders of images as rows: classes, and parts with a fixed split.
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "kernels/check.h"
#include "src/data/counted.h"
#include "src/data/image_notes.h"
#include "src/data/readers.h"
#include "src/io/image.h"

namespace gpuvae::data {
namespace {

namespace fs = std::filesystem;

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

void append_image(Rows& rows, const fs::path& file, const fs::path& first, ImageNotes& notes) {
  io::ImageChanges changes;
  const io::Gray image = io::read_image(file, &changes);
  notes.add(changes);
  auto& pixels = std::get<std::vector<std::uint8_t>>(rows.values);
  if (pixels.empty()) {
    rows.height = image.height;
    rows.width = image.width;
  }
  check(image.height == rows.height && image.width == rows.width, file_error("read"),
        "{}: expected {} x {} pixels (height x width) like {}, got {} x {}", file.string(), rows.height,
        rows.width, first.filename().string(), image.height, image.width);
  pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
}

// The images of a folder, or those of its sub-folders, each of which is then a class.
struct Listing {
  std::vector<fs::path> files;
  std::vector<std::uint8_t> labels;
  std::vector<std::string> classes;
};

Listing list_classes(const Entries& top) {
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

Listing list_images(const fs::path& folder, Entries top) {
  const std::string path = folder.string();
  check(!top.files.empty() || !top.folders.empty(), file_error("read"),
        "{}: expected images, got an empty folder", path);
  if (top.folders.empty()) return {.files = std::move(top.files), .labels = {}, .classes = {}};
  if (!top.files.empty())
    fail(file_error("read"),
         "{}: expected either images or sub-folders (classes), got the sub-folder {} and beside it the file "
         "{}: move the file away",
         path, top.folders[0].filename().string(), top.files[0].filename().string());
  check(top.folders.size() <= 256, file_error("read"), "{}: expected at most 256 classes, got {}", path,
        top.folders.size());
  return list_classes(top);
}

Rows read_image_files(const fs::path& folder, Listing listing, std::int64_t max_rows) {
  if (max_rows > 0 && listing.files.size() > static_cast<std::size_t>(max_rows))
    listing.files.resize(static_cast<std::size_t>(max_rows));
  Rows rows{.path = folder.string(), .origin = Origin::pixels};
  ImageNotes notes(folder.string());
  for (const fs::path& file : listing.files) append_image(rows, file, listing.files[0], notes);
  notes.append_to(rows.notes);
  rows.labels = std::move(listing.labels);
  if (!rows.labels.empty()) rows.labels.resize(listing.files.size());
  rows.classes = std::move(listing.classes);
  return rows;
}

// The names of sub-folders that are parts of one data set and not classes.
enum class PartName { none, train, validation, test };
PartName part_name(const fs::path& folder) {
  std::string name = folder.filename().string();
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (name == "train" || name == "training") return PartName::train;
  if (name == "validation" || name == "valid" || name == "val") return PartName::validation;
  return name == "test" || name == "testing" ? PartName::test : PartName::none;
}

// The sub-folders of a folder that hold the parts of one data set: a training set and, optionally, a
// validation set and a test set.
struct Parts {
  fs::path train, validation, test;
};
std::optional<Parts> find_parts(const Entries& top) {
  Parts parts;
  for (const fs::path& folder : top.folders) {
    const PartName name = part_name(folder);
    if (name == PartName::none) return {};
    fs::path& part = name == PartName::train        ? parts.train
                     : name == PartName::validation ? parts.validation
                                                    : parts.test;
    if (!part.empty()) return {};
    part = folder;
  }
  return parts.train.empty() || !top.files.empty() ? std::nullopt : std::optional(parts);
}

// Renumbers the labels of both parts by the sorted union of their class names.
void unite_classes(Rows& a, Rows& b) {
  check(a.classes.empty() == b.classes.empty(), file_error("read"),
        "{}: expected sub-folders (classes) as in {}, or images in both", (a.classes.empty() ? a : b).path,
        (a.classes.empty() ? b : a).path);
  std::vector<std::string> all;
  std::ranges::set_union(a.classes, b.classes, std::back_inserter(all));
  check(all.size() <= 256, file_error("read"), "{}: expected at most 256 classes in both parts, got {}",
        a.path, all.size());
  for (Rows* rows : {&a, &b}) {
    for (std::uint8_t& label : rows->labels)
      label = static_cast<std::uint8_t>(std::ranges::find(all, rows->classes[label]) - all.begin());
    rows->classes = all;
  }
}

std::string images_text(const fs::path& folder, const Rows& rows) {
  std::string text = fmt::format("{}: images of {} x {}", short_name(folder), rows.height, rows.width);
  if (!rows.classes.empty())
    text +=
        fmt::format(", {} ({})", counted(std::ssize(rows.classes), "class"), fmt::join(rows.classes, ", "));
  return text;
}

Source read_parts(const fs::path& folder, const Parts& parts, const DatasetOptions& options) {
  const auto read = [&](const fs::path& part) {
    return read_image_files(part, list_images(part, list(part)), options.max_rows);
  };
  Source source{.rows = read(parts.train)};
  std::string note = fmt::format("{}: the sub-folder {} is the training set", folder.string(),
                                 parts.train.filename().string());
  const fs::path& held_out = parts.validation.empty() ? parts.test : parts.validation;
  if (!held_out.empty()) {
    source.test = read(held_out);
    unite_classes(source.rows, *source.test);
    note += fmt::format(", {} is the validation set", held_out.filename().string());
    if (!parts.validation.empty() && !parts.test.empty())
      note += fmt::format(", {} is not used", parts.test.filename().string());
  }
  source.rows.notes.push_back(std::move(note));
  source.description = images_text(folder, source.rows);
  return source;
}

}  // namespace

Source read_image_folder(const fs::path& folder, const DatasetOptions& options) {
  check_unlabelled(folder, options);
  Entries top = list(folder);
  if (const auto parts = find_parts(top)) return read_parts(folder, *parts, options);
  Source source{.rows = read_image_files(folder, list_images(folder, std::move(top)), options.max_rows)};
  source.description = images_text(folder, source.rows);
  return source;
}

}  // namespace gpuvae::data
