// Data sets that live on the device, and batches gathered from them.
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
  Tensor images;                     // u8 or f32 [count, height * width], on the device
  std::vector<std::uint8_t> labels;  // one per image, or none

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
// only a threshold binarizes them (value > threshold). The last batch of an epoch may be shorter.
Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype = DType::f32);
// The same, an image at a time, from primitives; without binarization. For a clock without a device step.
namespace composed {
Batch gather_batch(const Tensor& images, std::int64_t batch_size, const Clock& clock,
                   const BatchOptions& options, DType dtype = DType::f32);
}

}  // namespace gpuvae
