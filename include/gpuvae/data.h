// Data sets in device memory, and batches gathered from them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

namespace gpuvae {

// Examples in the memory of one device, with labels and known factors in host memory.
struct Dataset {
  int height = 0;  // height of an image; 1 for tables
  int width = 0;   // width of an image, or number of columns of a table
  // u8 or f32 [count(), features()]. For images, features() is height * width.
  Tensor examples = {};
  std::vector<std::uint8_t> labels = {};  // one per example, or empty
  // Names of the known generative factors, such as the pose of a drawn face; empty if there are none.
  std::vector<std::string> factor_names = {};
  std::vector<float> factors = {};  // row-major [count(), factor_names.size()]

  // Number of examples.
  [[nodiscard]] std::int64_t count() const { return examples.shape()[0]; }
  // Values per example.
  [[nodiscard]] std::int64_t features() const { return examples.shape()[1]; }
  // Returns the examples `first`, ..., `first + count - 1`. Their tensor shares memory with this set.
  [[nodiscard]] Dataset slice(std::int64_t first, std::int64_t count) const;
  // Returns the same data set on a device. The examples share memory with this set if it is on that device
  // already.
  [[nodiscard]] Dataset to(Device device) const;
};

// How the columns of a table were standardised: x became (x - mean) / stddev, or 0 where stddev is 0.
struct Standardization {
  std::vector<double> mean;    // one per column, or empty
  std::vector<double> stddev;  // one per column, or empty
  // Whether the data are not standardised.
  [[nodiscard]] bool empty() const { return mean.empty(); }
};

// A data set in two parts.
struct Split {
  Dataset train;                               // for training
  Dataset test;                                // for validation
  std::string source;                          // a description of where the data came from
  std::vector<std::string> column_names = {};  // names of columns, without labels; or empty
  std::vector<std::string> class_names = {};   // names of the classes with labels 0, 1, ...; or empty
  Standardization standardization = {};        // applied to `train` and `test`
};

// Standardises f32 examples [count, columns] on the CPU, in place. Throws Error if the number of columns is
// not that of `by`.
void standardize(const Standardization& by, const Tensor& examples);
// Reverses standardize() for `rows`, which holds row-major rows.
void restore_units(const Standardization& by, std::vector<float>& rows);

// Reads the four MNIST files of a folder, plain or gzip. The original set has 60,000 training and 10,000 test
// images. Throws Error with the file and the reason if a file is missing, damaged, or does not match the
// others.
[[nodiscard]] Split load_mnist(const std::filesystem::path& folder);
// Whether the folder contains any of the four MNIST files.
[[nodiscard]] bool has_mnist(const std::filesystem::path& folder);
// Returns procedurally drawn digits, which are the same on every machine. Throws Error if `train` is above
// 60,000.
[[nodiscard]] Split procedural_mnist(std::int64_t train = 60000, std::int64_t test = 10000);

// How load_dataset reads a file or folder.
struct DatasetOptions {
  // The label column of a table: its name, or its number counted from 0; empty for no labels. Labels must be
  // integers from 0 to 255.
  std::string label_column = {};
  // Shifts and scales each column of a float table to mean 0 and standard deviation 1 over the training rows.
  // Bytes and images are not standardised.
  bool standardize = false;
  double validation_fraction = 0.1;  // share of the rows, in [0, 1); MNIST has a fixed split instead
  std::uint64_t seed = 0;            // seed of the permutation that chooses the validation rows
  std::int64_t max_rows = 0;         // maximum number of rows from the start (MNIST: of each part); 0: all
};
// Reads a file or folder of examples. The format is detected from its content and name:
// - A folder with MNIST's four files is read by load_mnist.
// - An IDX file of images. If its name contains "images", labels are read from the file in the same
//   folder whose name has "labels" in its place, if there is one.
// - .npy: unsigned bytes become u8, and every other type becomes f32. Arrays of [n, h, w], [n, h, w, 1] and
//   [n, 1, h, w] are images; arrays of other shapes are rows of height 1.
// - .csv, .tsv, .txt: a table of numbers, f32, height 1, with or without a header line. Tabs, semicolons,
//   commas or spaces separate the columns. Tables and .npy files may be compressed (.gz).
// - A folder of PNG, JPEG, BMP or PNM images of one size, in the order of their names: u8, with colours
//   converted to luminance. Sub-folders are the classes 0, 1, ... in the order of their names; hidden files
//   are skipped.
// Float values are not changed unless `standardize` is true, which sets columns that are constant over the
// training rows to 0. `test` holds the validation rows, at least one unless the fraction is 0. Both parts
// keep the order of the file. Throws Error "[read] path: reason"; if a value is invalid, the reason names its
// row and column.
[[nodiscard]] Split load_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

// Reads Frey Face from frey_rawface.mat, or from the folder that contains it: a MATLAB file whose variable ff
// is uint8, 560 x n (n >= 2), with one face of 28 x 20 pixels per column. The faces keep their order. The
// first 1,800 of the original 1,965 become `train` and the others `test`; any other number n is split in the
// same proportion. Throws Error "[read] path: reason", or "[frey] path: expected ff of 560 x n, got ...".
[[nodiscard]] Split load_frey(const std::filesystem::path& path);
// Whether the folder contains frey_rawface.mat.
[[nodiscard]] bool has_frey(const std::filesystem::path& folder);
// Returns 1,965 built-in frames of a drawn face, which are the same on every machine and are split like Frey
// Face. Their factors are "pose" and "smile", each in [-1, 1].
[[nodiscard]] Split procedural_frey();

// How examples are combined into a batch.
struct BatchOptions {
  bool shuffle = true;                 // whether each epoch has a new random order
  Binarize binarize = Binarize::none;  // whether and how values become 0 or 1
  double threshold = 0.5;  // for Binarize::threshold, compared with byte / 255 or the f32 value; finite
  std::uint64_t seed = 0;  // seed of the shuffled order and of random binarization
};
// The examples of one training step.
struct Batch {
  Tensor x;        // [rows, features]
  Tensor samples;  // i32 [rows]: the index of each example
};
// Gathers batch number (step modulo steps_per_epoch) of the clock's epoch. One pass over memory shuffles,
// scales and binarizes. Bytes are scaled to [0, 1]. f32 values are not scaled; with them, Binarize::threshold
// sets 1 where value > threshold, and Binarize::fixed and Binarize::dynamic throw Error. The last batch of an
// epoch may be shorter. `rows` is the number of rows to gather. With 0, the host computes it from the clock
// or, if the clock has a device step, which the host cannot read, assumes a full batch. Throws Error if
// sizes, dtypes and options do not match.
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32,
                                 std::int64_t rows = 0);
namespace unfused {
// Implements gather_batch with primitive operations, one example at a time. Supports neither binarization nor
// a clock with a device step.
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32);
}  // namespace unfused

}  // namespace gpuvae
