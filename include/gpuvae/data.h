// Data sets that live on the device, and batches gathered from them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

namespace gpuvae {

// Examples with their labels, in the memory of one device.
struct Dataset {
  int height = 0;  // of an image; 1 for tables
  int width = 0;   // of an image, or columns of a table
  // u8 or f32 [count(), features()]. For images features() is height * width.
  Tensor examples = {};
  std::vector<std::uint8_t> labels = {};  // one per example, or empty
  // Names of the known generative factors, such as the pose of a drawn face; empty if there are none.
  std::vector<std::string> factor_names = {};
  std::vector<float> factors = {};  // row-major [count(), factor_names.size()]

  // Number of examples.
  [[nodiscard]] std::int64_t count() const { return examples.shape()[0]; }
  // Values per example.
  [[nodiscard]] std::int64_t features() const { return examples.shape()[1]; }
  // Examples `first` to `first + count - 1`, which share memory with this set.
  [[nodiscard]] Dataset slice(std::int64_t first, std::int64_t count) const;
  // The same examples on a device; shares memory if they are there already.
  [[nodiscard]] Dataset to(Device device) const;
};

// How the columns of a table were standardised: (x - mean) / stddev, and 0 where stddev is 0.
struct Standardization {
  std::vector<double> mean;    // one per column, or empty
  std::vector<double> stddev;  // as many
  // Whether the data are not standardised.
  [[nodiscard]] bool empty() const { return mean.empty(); }
};

// A data set in two parts.
struct Split {
  Dataset train;                               // for training
  Dataset test;                                // for validation
  std::string source;                          // a description of where the data came from
  std::vector<std::string> column_names = {};  // of a table that has names, without the label column
  std::vector<std::string> class_names = {};   // of labels 0, 1, ..., if they have names
  Standardization standardization = {};        // applied to `train` and `test`
};

// Standardises f32 examples [count, columns] on the CPU, in place. Throws Error if the number of columns
// differs.
void standardize(const Standardization& by, const Tensor& examples);
// The inverse of standardize() for row-major rows.
void restore_units(const Standardization& by, std::vector<float>& rows);

// Reads the four MNIST files of a folder, plain or gzip; the original has 60,000 and 10,000 images. Throws
// Error with file and reason if one is missing, damaged, or does not fit the others.
[[nodiscard]] Split load_mnist(const std::filesystem::path& folder);
// Whether the folder has any of the four files.
[[nodiscard]] bool has_mnist(const std::filesystem::path& folder);
// Built-in digits, drawn stroke by stroke. They are the same on every machine.
[[nodiscard]] Split procedural_mnist(std::int64_t train = 60000, std::int64_t test = 10000);

// How load_dataset reads a file or folder.
struct DatasetOptions {
  // The label column of a table, by name or by number from 0; empty for none. Labels are 0 to 255.
  std::string label_column = {};
  // Scales each column of a float table to mean 0 and standard deviation 1 over the training rows. Bytes and
  // images stay as they are.
  bool standardize = false;
  double validation_fraction = 0.1;  // in [0, 1); ignored for MNIST, which has its own split
  std::uint64_t seed = 0;            // of the permutation that chooses the validation rows
  std::int64_t max_rows = 0;         // uses only the first rows (MNIST: of each part); 0 uses all
};
// Reads a file or folder of examples, whose format is recognised:
// - A folder with MNIST's four files, as load_mnist. An IDX file of images, with the labels of the file
//   "...labels..." beside "...images...", if that exists.
// - .npy: unsigned bytes become u8, every other type becomes f32. [n, h, w], [n, h, w, 1] and [n, 1, h, w]
// are images,
//   other shapes are rows of height 1.
// - .csv, .tsv, .txt: a table of numbers, f32, height 1, with or without a line of names, separated by tabs,
//   semicolons, commas or spaces. Tables and .npy files may be compressed (.gz).
// - A folder of PNG, JPEG, BMP or PNM images of one size, in the order of their names: u8, with colours
// converted to
//   luminance. Sub-folders are the classes 0, 1, ... in the order of their names; hidden files are skipped.
// Floats are used as they are unless standardised; a column that is constant in training becomes 0. `test`
// has the validation rows, at least one unless the fraction is 0. Both parts keep the order of the file.
// Throws Error
// "[read] path: reason", with row and column if a value is the reason.
[[nodiscard]] Split load_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

// Reads Frey Face from frey_rawface.mat, or from the folder that holds it: a MATLAB file whose variable ff is
// uint8, 560 x n (n >= 2), one face of 28 x 20 per column. The faces keep their order: the first 1,800 of the
// original's 1,965 are for training, the rest is `test`; another n is split in the same proportion. Throws
// Error "[read] path: reason", or "[frey] path: expected ff of 560 x n, got ...".
[[nodiscard]] Split load_frey(const std::filesystem::path& path);
// Whether the folder has that file.
[[nodiscard]] bool has_frey(const std::filesystem::path& folder);
// 1,965 built-in frames of a drawn face, the same on every machine, split like Frey Face. Their factors are
// "pose" and "smile", each in [-1, 1].
[[nodiscard]] Split procedural_frey();

// How examples become a batch.
struct BatchOptions {
  bool shuffle = true;                 // a new order in every epoch
  Binarize binarize = Binarize::none;  // whether and how values become 0 or 1
  double threshold = 0.5;              // of Binarize::threshold, in [0, 1]
  std::uint64_t seed = 0;              // of the order and of drawn binary values
};
// The examples of one training step.
struct Batch {
  Tensor x;        // [rows, features]
  Tensor samples;  // i32 [rows]: the index of each example
};
// Gathers batch number (step modulo steps_per_epoch) of the clock's epoch: order, scaling and binarization in
// one pass. Bytes are scaled to [0, 1]. f32 values stay as they are, and only a threshold binarizes them
// (value > threshold). The last batch of an epoch may be shorter. If the clock has a device step, the caller
// passes the number of `rows`; 0 means what the clock says, or else a full batch. Throws Error if sizes,
// dtypes and options do not fit.
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32,
                                 std::int64_t rows = 0);
namespace unfused {
// gather_batch from primitives, one example at a time, without binarization, for a clock without a device
// step.
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32);
}  // namespace unfused

}  // namespace gpuvae
