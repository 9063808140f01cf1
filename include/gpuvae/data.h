// Data sets in device memory or in files, and batches gathered from them.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Examples that stay outside the memory of the process, such as the rows of a large file. Any number of
// threads may call the functions of one object at the same time.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  [[nodiscard]] virtual std::int64_t count() const = 0;     // number of examples
  [[nodiscard]] virtual std::int64_t features() const = 0;  // values per example
  [[nodiscard]] virtual DType dtype() const = 0;            // of the values: u8 or f32
  // Writes the examples with the given numbers, counted from 0, one after the other to `out`. Throws Error if
  // they cannot be read.
  virtual void read(std::span<const std::int64_t> examples, void* out) const = 0;
  // Row number of an example in its file, counted from 0.
  [[nodiscard]] virtual std::int64_t row_number(std::int64_t example) const { return example; }
};

// Examples in the memory of one device or in an ExampleSource, with labels and known factors in host memory.
// Every function of the library that takes a data set accepts both.
struct Dataset {
  int height = 0;  // height of an image; 1 for tables
  int width = 0;   // width of an image, or number of columns of a table
  // u8 or f32 [count(), features()]. For images, features() is height * width. Undefined if there is a
  // `source`.
  Tensor examples = {};
  std::vector<std::uint8_t> labels = {};  // one per example, or empty
  // Names of the known generative factors, such as the pose of a drawn face; empty if there are none.
  std::vector<std::string> factor_names = {};
  std::vector<float> factors = {};  // row-major [count(), factor_names.size()]
  // Row i of the examples has the number row_numbers[i] in its file or, if row_numbers is empty, first_row +
  // i. Rows are counted from 0.
  std::vector<std::int64_t> row_numbers = {};
  std::int64_t first_row = 0;  // see row_numbers
  // The examples, read batch by batch, if `examples` is undefined. The source then has the row numbers, too.
  std::shared_ptr<const ExampleSource> source = {};
  // The device of the batches that are read from `source`.
  Device batch_device = Device::cpu();

  // Whether there are examples, be it 0 of them.
  [[nodiscard]] bool defined() const { return examples || source; }
  // Number of examples.
  [[nodiscard]] std::int64_t count() const { return source ? source->count() : examples.shape()[0]; }
  // Values per example.
  [[nodiscard]] std::int64_t features() const { return source ? source->features() : examples.shape()[1]; }
  // Type of the values: u8 or f32.
  [[nodiscard]] DType dtype() const { return source ? source->dtype() : examples.dtype(); }
  // The device of the examples or, with a source, of the batches.
  [[nodiscard]] Device device() const { return source ? batch_device : examples.device(); }
  // Row number of example i in its file, counted from 0.
  [[nodiscard]] std::int64_t row_number(std::int64_t i) const {
    if (source) return source->row_number(i);
    return row_numbers.empty() ? first_row + i : row_numbers[static_cast<std::size_t>(i)];
  }
  // Returns the examples `first`, ..., `first + count - 1`. Their tensor or source is shared with this set.
  [[nodiscard]] Dataset slice(std::int64_t first, std::int64_t count) const;
  // Returns the same data set on a device. The examples share memory with this set if it is on that device
  // already. Those of a source are copied to a GPU if they take at most half of its free memory; otherwise
  // they stay where they are, and batches are copied.
  [[nodiscard]] Dataset to(Device device) const;
  // Returns the values of the examples with the given numbers, u8 or f32 [numbers.size(), features()], in new
  // memory of the set's device.
  [[nodiscard]] Tensor select(std::span<const std::int64_t> numbers) const;
};

// How the columns of a table were standardised: x became (x - mean) / stddev, or 0 where stddev is 0.
struct Standardization {
  std::vector<double> mean;    // one per column, or empty
  std::vector<double> stddev;  // one per column, or empty
  // Whether the data are not standardised.
  [[nodiscard]] bool empty() const { return mean.empty(); }
};

// The kind of numbers that a data set holds. load_dataset determines it from the values, once for the whole
// set.
enum class ValueKind : std::uint8_t {
  bytes,         // whole numbers from 0 to 255, stored as u8; a batch scales them to [0, 1]
  unit,          // numbers in [0, 1]
  signed_unit,   // numbers in [-1, 1]
  counts,        // non-negative whole numbers
  standardized,  // columns of mean 0 and standard deviation 1, in the file or after Standardization
  any,           // other finite numbers
};
// Name of a kind: "bytes", "unit", "signed-unit", "counts", "standardized" or "any".
[[nodiscard]] const char* name(ValueKind kind);

// The range of a data set's values, in the units of the file.
struct ValueRange {
  ValueKind kind = ValueKind::any;  // what the values are
  // @{
  // The limits of the kind for bytes (0, 255), unit and signed_unit; the limits given by
  // DatasetOptions::value_range if `scaled`; otherwise the least and the largest value of the file.
  double low = 0;
  double high = 0;
  // @}
  // Whether the examples hold (value - low) / (high - low), which is in [0, 1]. Never true for bytes.
  bool scaled = false;
};
// Describes a range in one line, for example as "whole numbers from 0 to 255, taken as bytes (divided by
// 255)".
[[nodiscard]] std::string describe(const ValueRange& range);

// Everything that was determined about a data set when it was read. Other data for the same model must match
// it.
struct DataDescription {
  int height = 0;                              // height of an image; 1 for tables
  int width = 0;                               // width of an image, or columns of a table
  ValueRange values = {};                      // range of the values
  std::vector<std::string> column_names = {};  // of a table with a header, without the label column; or empty
  std::string label_column = {};               // name or number of the label column; or empty
  std::vector<std::string> class_names = {};   // names of the labels 0, 1, ..., or empty
  Standardization standardization = {};        // applied to the examples
  bool missing_values = false;                 // whether examples may have missing values, which are NaN
  // @{
  // The condition of a conditional model, which follows its features: the last columns of a table, and then
  // the one-hot code of a class (with_class_codes).
  std::int64_t condition_columns = 0;
  int condition_classes = 0;
  // @}
};

// A data set that is split into training and validation data.
struct Split {
  Dataset train;                     // for training
  Dataset test;                      // for validation
  std::string source;                // a description of where the data came from
  DataDescription description = {};  // of both parts
  // What a user should know about how the data were read, one sentence each, such as which line was taken as
  // the header.
  std::vector<std::string> notes = {};
};

// Returns a data set whose examples are rows [x, y], where y is the one-hot code of the label in `classes`
// columns, for a conditional model (VaeOptions::conditions). Throws Error if an example has no label, if a
// label is not below `classes`, and for examples that are read from a source.
[[nodiscard]] Dataset with_class_codes(const Dataset& set, int classes);
// Moves the named columns of a table behind the others, in both parts and in the description, as conditions
// of a conditional model. Throws Error for a table without names, for unknown names, and if no column is
// left.
void move_columns_last(Split& split, std::span<const std::string> names);

// A 64-bit hash of the examples with their shape, dtype and labels, the same on every machine and for
// examples in memory and in a source. The examples may be on any device; the call waits until the device has
// computed them. Those of a source are read once.
[[nodiscard]] std::uint64_t fingerprint(const Dataset& set);

// Standardises f32 examples [count, columns] on the CPU, in place. Throws Error if the number of columns
// differs from that of `by`.
void standardize(const Standardization& by, const Tensor& examples);
// Reverses standardize() for `rows`, which holds row-major rows.
void restore_units(const Standardization& by, std::vector<float>& rows);
// Returns row-major rows of a model's data in the units of the file, in f64: reverses the standardisation or,
// if the values were scaled, the scaling. Bytes stay in [0, 1].
[[nodiscard]] std::vector<double> restored(const DataDescription& by, std::span<const float> rows);

// Where a loaded data set keeps its examples.
enum class Placement : std::uint8_t {
  // In their file if it can be read in parts and has more than 256 MiB of numbers, otherwise in memory.
  automatic,
  memory,
  // In their file, an uncompressed NPY file in C order or an IDX file; other data are an error. Batches are
  // read from it while a model trains, with the same results. If the file is changed or becomes shorter, the
  // next batch throws Error, so that no model trains on a mixture of both.
  file,
};
[[nodiscard]] const char* name(Placement placement);  // "auto", "memory" or "file"

// Reads the four MNIST files of a folder, plain or gzip. The original set has 60,000 training and 10,000 test
// images. Data sets that are published in the same format are read too: the file names may have a prefix, as
// in "emnist-digits-train-images-...", the test files may be named "test" instead of "t10k", and the labels
// may be QMNIST's "...-idx2-int". Labels may be missing if both parts lack them. Throws Error with the file
// and the reason if a file is missing, damaged or inconsistent with the others, or if the folder has several
// such data sets but not MNIST itself.
[[nodiscard]] Split load_mnist(const std::filesystem::path& folder,
                               Placement placement = Placement::automatic);
// Whether the folder contains any of the files that load_mnist reads.
[[nodiscard]] bool has_mnist(const std::filesystem::path& folder);
// Returns procedurally drawn digits, which are the same on every machine. Throws Error if `train` is above
// 60,000.
[[nodiscard]] Split procedural_mnist(std::int64_t train = 60000, std::int64_t test = 10000);

// Whether the first line of a table holds the names of the columns.
enum class Header : std::uint8_t {
  automatic,  // decided from the lines; a doubtful case is an error
  yes,
  no,
};
[[nodiscard]] const char* name(Header header);  // "auto", "yes" or "no"

// How load_dataset reads a file or folder.
struct DatasetOptions {
  // The label column of a table: its name, or its number counted from 0; empty for no labels. Integers from 0
  // to 255 are the labels themselves. Text is the name of a class: the names are sorted and become 0, 1, ...
  std::string label_column = {};
  Header header = Header::automatic;  // of a table
  // The columns of a table that are used, in this order, by name or by number from 0; empty for all but an
  // index column.
  std::vector<std::string> columns = {};
  // Scales values from {low, high} to [0, 1]; {0, 255} makes whole numbers bytes. A value outside this range
  // is an error. Without this option, the values determine their kind (see ValueKind).
  std::optional<std::array<double, 2>> value_range = {};
  // The matrix of a MATLAB file, by name; empty for its only matrix. "X'" takes X transposed, as in MATLAB,
  // so that the columns of X are the examples.
  std::string variable = {};
  // Shifts and scales each column of a table to mean 0 and standard deviation 1 over the training rows, in
  // f64. Bytes, images and values with a given range are not standardised.
  bool standardize = false;
  // Accepts missing values (empty cells, nan, NA, null or ? in text, and NaN in arrays), which become NaN.
  // Otherwise, they are errors. The data are then never bytes: whole numbers from 0 to 255 that would be
  // bytes become numbers scaled to [0, 1] (ValueKind::unit), so that later data may have missing values. A
  // column without any value in the training rows is an error.
  bool missing_values = false;
  // Whole numbers of 0 or more are counts and never bytes, as the likelihoods of counts require.
  bool counts = false;
  double validation_fraction = 0.1;  // share of the rows, in [0, 1); MNIST has a fixed split instead
  std::uint64_t seed = 0;            // seed of the permutation that chooses the validation rows
  std::int64_t max_rows = 0;         // reads only the first rows (of each part of a fixed split); 0: all
  Placement placement = Placement::automatic;  // where the examples are kept
};
// Reads a file or folder of examples. The format is detected from its content and name:
// - A folder with MNIST's four files is read by load_mnist.
// - An IDX file of images. If its name contains "images", labels are read from the file in the same
//   folder whose name has "labels" in its place, if there is one.
// - .npy of any numeric type. Arrays of [n, h, w], [n, h, w, 1] and [n, 1, h, w] are images; arrays of other
//   shapes are rows of height 1.
// - .csv, .tsv, .txt: a table of numbers, height 1, with or without a header line. Tabs, semicolons, commas,
//   vertical bars or spaces separate the columns, and a leading index column is left out. Tables and .npy
//   files may be compressed (.gz).
// - .mat: a real matrix of a MATLAB file of version 5 to 7 (DatasetOptions::variable). Each row is an
//   example. Frey Face is an exception: in a matrix of 560 rows that is named ff or is uint8, and that is not
//   square, each column is an image of 28 x 20. Arrays of three dimensions are images: [n, h, w] if only the
//   last two sizes are equal, otherwise [h, w, n]. A uint8 matrix ff of 560 rows is split as by load_frey.
// - A folder of PNG, JPEG, BMP or PNM images of one size, in the order of their names. Colours become
//   luminance, transparent pixels are blended with white, and other depths are scaled to 8 bits. Sub-folders
//   are the classes 0, 1, ... in the order of their names. If, however, one is named "train" and any others
//   "validation" or "test", they are the parts of the split. Hidden files are skipped.
// The values rather than their type determine the kind (see ValueKind). Image files are bytes. Other whole
// numbers from 0 to 255 are bytes only if the largest exceeds 1 and if they form images, have a byte type, or
// form rows of 16 or more columns whose largest value is at least 128 (arrays) or 255 (tables of text). Bytes
// become u8, and other values f32, unchanged unless they are standardised or have a given range; a column
// that is constant in training becomes 0. `test` holds the validation rows, at least one unless the fraction
// is 0. Both parts keep the order of the file. Throws Error "[read] path: reason", with row and column if a
// value is the reason.
[[nodiscard]] Split load_dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

// Reads all rows of a file or folder for a model whose training data are described by `like`, which the
// result carries as its description. `train` holds all rows; a folder with a fixed split has `test` as well.
// Columns of a table are matched by name if the training data had names; other columns are left out, and the
// label column may be absent. The values are converted as those of the training data were. Throws Error
// "[read] path: reason" if columns are missing, if the height or the width of images differs, or if a value
// does not fit ValueRange.
// The columns of a MATLAB matrix are its examples if their length, but not that of the rows, is the model's
// number of values. `variable` and `placement` are as in DatasetOptions.
[[nodiscard]] Split load_like(const std::filesystem::path& path, const DataDescription& like,
                              Header header = Header::automatic, const std::string& variable = {},
                              Placement placement = Placement::automatic);

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

// Returns 3,000 rows of 30 counts, the same on every machine, of which the first 2,000 are `train`. Row i is
// drawn from negative binomial distributions with log means A z + b and inverse dispersions k_j, where z ~
// N(0, I) has two dimensions (the factors "z1" and "z2"), A_j = 0.9 (sin(1.3 j + 0.5), sin(1.3 j + 2.6)), b_j
// = 1.5 + cos(0.7 j) and k_j = 2 exp(0.5 sin(0.9 j)) for the columns j = 0, ..., 29. The true negative log
// likelihood is 82.1892 nats per row for `test` and 82.3089 for `train`.
[[nodiscard]] Split synthetic_counts();
// Returns the examples of a split in another order, of which the last `test` ones are the new test set.
// Example i of the training set followed by the test set gets number i of the generator splitmix64 with
// `seed`, and the examples are sorted by these numbers. Standardised columns are standardised again, with the
// moments of the new training set. Throws Error unless the examples are in host memory and `test` leaves at
// least one for training.
[[nodiscard]] Split shuffled_split(const Split& split, std::uint64_t seed, std::int64_t test);

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
// The same for a data set. If it has a source, the rows of the batch are read from it and copied to the set's
// device; the host must then be able to read the clock, so that a device step must be on the CPU.
[[nodiscard]] Batch gather_batch(const Dataset& set, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32,
                                 std::int64_t rows = 0);
namespace unfused {
// Implements gather_batch with primitive operations, one example at a time. Supports neither binarization nor
// a clock with a device step.
[[nodiscard]] Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                                 const BatchOptions& options, DType dtype = DType::f32);
}  // namespace unfused

}  // namespace gpuvae
#pragma GCC visibility pop
