// Data sets that live on the device, and batches gathered from them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

namespace gpuvae {

struct Dataset {
  int height = 0, width = 0;
  // u8 or f32 [count, features()]. For images features() is height * width; otherwise height is 1.
  Tensor examples;
  std::vector<std::uint8_t> labels;  // one per example, or empty
  // Known generative factors: row-major [count, factor_names.size()], or empty.
  std::vector<std::string> factor_names = {};
  std::vector<float> factors = {};

  [[nodiscard]] std::int64_t count() const { return examples.shape()[0]; }
  [[nodiscard]] std::int64_t features() const { return examples.shape()[1]; }
  [[nodiscard]] Dataset slice(std::int64_t first, std::int64_t count) const;
  [[nodiscard]] Dataset to(Device device) const;
};

// What a table's columns were standardised by: (x - mean) / stddev, and 0 where stddev is 0.
struct Standardization {
  std::vector<double> mean, stddev;  // one per column, or empty
  [[nodiscard]] bool empty() const { return mean.empty(); }
};

struct Split {
  Dataset train, test;
  std::string source;                          // where it came from, for people
  std::vector<std::string> column_names = {};  // of a table that names its columns, without the labels'
  std::vector<std::string> class_names = {};   // of labels 0, 1, ..., where they have names
  Standardization standardization = {};        // of `train` and `test`, if they are
};

// f32 images [count, columns] on the CPU, in place: into the units of a standardised training set, and back.
// Throw Error where the columns are not as many.
void standardize(const Standardization& by, const Tensor& images);
void restore_units(const Standardization& by, std::vector<float>& rows);

// The four MNIST files of a folder, plain or gzip: 60,000 and 10,000 images in the original, any number here.
// Throws Error naming file and reason if one is missing, damaged, or does not fit the others.
[[nodiscard]] Split load_mnist(const std::filesystem::path& folder);
// Whether the folder has any of the four files.
[[nodiscard]] bool has_mnist(const std::filesystem::path& folder);
// The built-in stroke-drawn digits, the same for everybody.
[[nodiscard]] Split procedural_mnist(std::int64_t train = 60000, std::int64_t test = 10000);

struct DatasetOptions {
  std::string label_column = {};  // of a table: name, or number from 0, of labels 0..255; empty: none
  bool standardize = false;  // rows of floats: mean 0 and standard deviation 1 per column of the training
                             // rows; bytes and images stay as they are
  double validation_fraction = 0.1;  // of the rows, in [0, 1); not of MNIST, which has a split of its own
  std::uint64_t seed = 0;            // of the permutation that chooses them
  std::int64_t max_rows = 0;         // the first so many rows only (MNIST: of either part); 0: all
};
// Any file or folder of rows, told by what it is:
// - A folder with MNIST's four files, as load_mnist. An IDX file of images, with the labels of the file
//   "...labels..." beside "...images...", if there is one.
// - .npy: unsigned bytes become u8, everything else f32. [n, h, w], [n, h, w, 1] and [n, 1, h, w] are images,
//   other shapes rows of height 1.
// - .csv, .tsv, .txt: a table of numbers, f32, height 1; with or without a line of names, parted by tabs,
//   semicolons, commas or spaces. Tables and .npy may be compressed (.gz).
// - A folder of PNG, JPEG, BMP or PNM images of one size, by name: u8, colours become their luminance.
//   Sub-folders, by name, are the classes 0, 1, ...; hidden files are skipped.
// Floats are used as they are unless standardised; a column that is constant in training becomes 0. `test`
// has the validation rows, at least one unless the fraction is 0 (only then one row is enough); both parts
// keep the order of the file.
// Throws Error "[read] path: reason", with row and column where a value is to blame.
[[nodiscard]] Split load_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

// Frey Face from frey_rawface.mat, or from the folder that holds it: a MATLAB file whose variable ff is
// uint8, 560 x n (n >= 2), a face of 28 x 20 a column. The faces keep their order: the first 1,800 of the
// original's 1,965 are for training, the rest is `test`; other n are split in proportion. Throws Error
// "[read] path: reason", or "[frey] path: expected ff of 560 x n, got ...".
[[nodiscard]] Split load_frey(const std::filesystem::path& path);
// Whether the folder has that file.
[[nodiscard]] bool has_frey(const std::filesystem::path& folder);
// 1,965 built-in frames of a drawn face, the same for everybody, split as Frey Face; their factors are "pose"
// and "smile", each in [-1, 1].
[[nodiscard]] Split procedural_frey();

struct BatchOptions {
  bool shuffle = true;
  Binarize binarize = Binarize::none;
  double threshold = 0.5;
  std::uint64_t seed = 0;
};
struct Batch {
  Tensor x;        // [rows, pixels]
  Tensor samples;  // i32 [rows]: which images these are
};
// Batch number (step modulo steps_per_epoch) of the clock's epoch: order, scaling and binarization in one
// pass. Bytes are scaled to [0, 1]; f32 values, such as those of a standardised table, stay as they are, and
// only a threshold binarizes them (value > threshold). The last batch of an epoch may be shorter: with a
// device step the caller knows, and says so by `rows` (0: as many as the clock tells, or else a full batch).
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32,
                                 std::int64_t rows = 0);
// The same, an image at a time, from primitives; without binarization. For a clock without a device step.
namespace unfused {
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32);
}

}  // namespace gpuvae
