// Data sets that live on the device as bytes, and batches gathered from them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/random.h"
#include "gpuvae/tensor.h"

namespace gpuvae {

struct ImageSet {
  int height = 0, width = 0;
  Tensor images;                     // u8 [count, height * width], on the device
  std::vector<std::uint8_t> labels;  // one per image, or none
  // Known causes of an image, where there are any: factors [count, factor_names.size()], row by row.
  std::vector<std::string> factor_names = {};
  std::vector<float> factors = {};

  std::int64_t count() const { return images.shape()[0]; }
  std::int64_t pixels() const { return images.shape()[1]; }
  ImageSet slice(std::int64_t first, std::int64_t count) const;
  ImageSet to(Device device) const;
};

struct Split {
  ImageSet train, test;
  std::string source;  // where it came from, for people
};

// The four MNIST files of a folder, plain or gzip: 60,000 and 10,000 images in the original, any number here.
// Throws Error naming file and reason if one is missing, damaged, or does not fit the others.
Split load_mnist(const std::filesystem::path& folder);
// Whether the folder has any of the four files.
bool has_mnist(const std::filesystem::path& folder);
// The built-in stroke-drawn digits, the same for everybody.
Split procedural_mnist(std::int64_t train = 60000, std::int64_t test = 10000);

// Frey Face from frey_rawface.mat, or from the folder that holds it: a MATLAB file whose variable ff is
// uint8, 560 x n (n >= 2), a face of 28 x 20 a column. The faces keep their order: the first 1,800 of the
// original's 1,965 are for training, the rest is `test`; other n are split in proportion. Throws Error
// "[read] path: reason", or "[frey] path: expected ff of 560 x n, got ...".
Split load_frey(const std::filesystem::path& path);
// Whether the folder has that file.
bool has_frey(const std::filesystem::path& folder);
// 1,965 built-in frames of a drawn face, the same for everybody, split as Frey Face; their factors are "pose"
// and "smile", each in [-1, 1].
Split procedural_frey();

struct BatchOptions {
  bool shuffle = true;
  Binarize binarize = Binarize::none;
  double threshold = 0.5;
  std::uint64_t seed = 0;
};
struct Batch {
  Tensor x;        // [rows, pixels] in [0, 1]
  Tensor samples;  // i32 [rows]: which images these are
};
// Batch number (step modulo steps_per_epoch) of the clock's epoch: order, scaling and binarization in one
// pass. The last batch of an epoch may be shorter.
Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype = DType::f32);
// The same, an image at a time, from primitives; without binarization. For a clock without a device step.
namespace composed {
Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype = DType::f32);
}

}  // namespace gpuvae
