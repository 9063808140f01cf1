// Safetensors files: sizes agree, the metadata alone are the same, and a written file is read back. A file
// is also restored as a checkpoint of a small model, with its checksum made valid.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>

#include "gpuvae/safetensors.h"
#include "gpuvae/train.h"
#include "src/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

void check_tensors(const io::TensorFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    std::uint64_t bytes = size_of(tensor.dtype);
    for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
    fuzz::require(tensor.bytes.size() == bytes, "a tensor has as many bytes as its shape says");
  }
}

bool same(const io::TensorFile& a, const io::TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    const auto& [name_a, tensor_a] = a.tensors[i];
    const auto& [name_b, tensor_b] = b.tensors[i];
    if (name_a != name_b || tensor_a.dtype != tensor_b.dtype || tensor_a.shape != tensor_b.shape ||
        tensor_a.bytes != tensor_b.bytes)
      return false;
  }
  return true;
}

// The reader of parts accepts what the reader of whole files accepts, and reads the same bytes. A tensor of
// any other type is read or refused.
void check_reader(const std::filesystem::path& path, const io::TensorFile* whole) {
  std::unique_ptr<SafetensorsReader> reader;
  const bool accepted = fuzz::accepts([&] { reader = std::make_unique<SafetensorsReader>(path); });
  fuzz::require(accepted || !whole, "the reader of parts accepts the file");
  if (!accepted) return;
  for (const TensorInfo& info : reader->tensors()) {
    Tensor tensor;
    if (!fuzz::accepts([&] { tensor = reader->read(info.name, DType::f64); })) continue;
    fuzz::require(std::ranges::equal(tensor.shape().extents(), info.shape),
                  "a tensor has the header's shape");
  }
  if (!whole) return;
  reader->check_checksum();
  for (const auto& [name, tensor] : whole->tensors) {
    if (tensor.shape.size() > Shape::kMaxRank) continue;
    const Tensor read = reader->read(name, tensor.dtype);
    fuzz::require(
        read.bytes() == tensor.bytes.size() &&
            (tensor.bytes.empty() || std::memcmp(read.data(), tensor.bytes.data(), tensor.bytes.size()) == 0),
        "both readers read the same bytes");
  }
}

// A model of two parameters, [2] and [1, 2], and its optimiser.
struct Model {
  std::vector<Parameter> parameters = {parameter("weight", {1, 2}), parameter("bias", {2})};
  Adam optimizer{parameters};

  static Parameter parameter(const std::string& name, const std::vector<std::int64_t>& shape) {
    return {name, Variable(Tensor::zeros(Shape(std::span(shape))), true)};
  }
};

// A checkpoint that is accepted has finite parameters and a plausible state.
void check_checkpoint(io::TensorFile file) {
  static Model model;
  if (file.metadata.contains(io::kChecksumKey)) file.metadata[io::kChecksumKey] = io::checksum_of(file);
  const auto copy = fuzz::input_file("", "checkpoint");
  io::write_safetensors(copy, file);
  TrainingState state;
  if (!fuzz::accepts([&] { state = restore_checkpoint(copy, model.parameters, model.optimizer); })) return;
  fuzz::require(state.epochs >= 0, "a state has 0 or more epochs");
  fuzz::require(std::isfinite(model.optimizer.learning_rate()) && model.optimizer.learning_rate() > 0,
                "a learning rate is finite and above 0");
  for (const Parameter& p : model.parameters) {
    const float* values = p.variable.value().data_as<float>();
    for (std::int64_t i = 0; i < p.variable.value().elements(); ++i)
      fuzz::require(std::isfinite(values[i]), "parameters are finite");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz::input_file(std::span(data, size));
  std::map<std::string, std::string> metadata;
  const bool has_metadata = fuzz::accepts([&] { metadata = io::read_safetensors_metadata(path); });
  io::TensorFile file;
  const bool accepted = fuzz::accepts([&] { file = io::read_safetensors(path); });
  check_reader(path, accepted ? &file : nullptr);
  if (!accepted) return 0;
  fuzz::require(has_metadata && metadata == file.metadata, "the metadata alone are those of the whole file");
  check_tensors(file);
  const auto copy = fuzz::input_file("", "copy");
  io::write_safetensors(copy, file);
  fuzz::require(same(io::read_safetensors(copy), file), "a written file is read back");
  check_checkpoint(std::move(file));
  return 0;
}
