// Reads files and folders of every kind as rows. Every failure throws Error "[read] path: reason".
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "src/data/rows.h"

namespace gpuvae::data {

// The rows of a file or folder.
struct Source {
  Rows rows;                      // all rows, or the training rows
  std::optional<Rows> test = {};  // the validation rows of a folder whose split is fixed
  std::string description = {};   // becomes Split::source
};

// Reads any supported path except a folder of MNIST's files. If `like` is not null, a table is read for the
// model whose training data it describes: with the model's columns in the model's order, and with or without
// labels.
Source read_source(const std::filesystem::path& path, const DatasetOptions& options,
                   const DataDescription* like = nullptr);

Source read_table_rows(const std::filesystem::path& path, const DatasetOptions& options,
                       const DataDescription* like);

// Reads a matrix of a MATLAB file. The first note says which matrix was read and which of its dimensions
// counts the examples. If `like` is not null, it decides this dimension where both are possible, and `rows`
// then holds all examples.
Source read_mat_rows(const std::filesystem::path& path, const DatasetOptions& options,
                     const DataDescription* like);

// Reads a folder of images, or of sub-folders that are classes or the parts "train" and "test".
Source read_image_folder(const std::filesystem::path& folder, const DatasetOptions& options);

// Opens the array of a file whose numbers are to stay there, and adds a note that says so. Returns null if
// the file is to be read into memory: as `placement` says, or because `open` says that it is the only way,
// which is an error for Placement::file.
std::shared_ptr<const io::FileArray> kept_in_file(
    const std::filesystem::path& path, Placement placement,
    std::shared_ptr<const io::FileArray> (*open)(const std::filesystem::path&),
    std::vector<std::string>& notes);

// Throws Error for Placement::file, because data of this kind are read as a whole.
void check_placement(const std::filesystem::path& path, Placement placement);

// Converts the images of MNIST's files to rows with a fixed split.
Source source_of(Split split, const std::filesystem::path& path);

// Reads the labels of `count` images.
std::vector<std::uint8_t> read_labels(const std::filesystem::path& path, std::int64_t count,
                                      const std::filesystem::path& images);

// Adds a note if the file is one of EMNIST's, whose images are stored with rows and columns swapped.
void note_transposed(const std::filesystem::path& images, std::vector<std::string>& notes);

// Throws Error if a label column is given for data that have no columns.
void check_unlabelled(const std::filesystem::path& path, const DatasetOptions& options);

// Returns the last component of a path, such as "SUSY.csv", also for a folder whose path ends with a slash.
std::string short_name(const std::filesystem::path& path);

// Converts an extent to int. Throws Error unless it is from 1 to 2^31-1.
int to_int(const std::string& path, std::int64_t extent);

}  // namespace gpuvae::data
