// Loading weights of other programs: PyTorch state dictionaries, Keras weights, and any other safetensors
// file with dense layers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gpuvae/nn.h"
#include "gpuvae/safetensors.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Some outputs of a tensor in a file: outputs `first`, ..., `first + count - 1` of a weight or a bias. By
// default, these are all outputs of the tensor.
struct WeightPart {
  WeightPart(const char* tensor) : name(tensor) {}  // NOLINT: implicit: a name stands for a whole tensor
  WeightPart(std::string tensor) : name(std::move(tensor)) {}  // NOLINT: see above
  // Selects some outputs of the tensor.
  WeightPart(std::string tensor, std::int64_t first_output, std::int64_t outputs)
      : name(std::move(tensor)), first(first_output), count(outputs) {}

  std::string name;         // of the tensor
  std::int64_t first = 0;   // first output
  std::int64_t count = -1;  // number of outputs; -1: all that follow
};
// Where the values of a parameter come from: one or more parts, whose outputs are joined in the given order.
struct WeightSource {
  std::vector<WeightPart> parts;  // joined in this order
  bool transposed = false;  // the tensors are [in, out], as kernels of Keras are; parameters are [out, in]
};
// Sources by the name of the parameter, such as "encoder.0.weight".
using WeightMap = std::map<std::string, WeightSource>;

// Layers of the file by layers of the model: {{"encoder.0", {"fc1"}}, {"posterior", {"fc_mean",
// "fc_logvar"}}}. A Vae has the layers encoder.0, encoder.1, ..., posterior, decoder.0, ... and output.
// `posterior` computes the means and then the scale parameters, so that a file with a layer for each of them
// gives both, in this order. A part selects outputs of a joint layer: {"posterior", {{"head", 2, 2}, {"head",
// 0, 2}}} if it has 2 log variances before 2 means.
using LayerMap = std::map<std::string, std::vector<WeightPart>>;
// Returns the map for torch.nn.Linear: LAYER.weight [out, in] and LAYER.bias [out].
[[nodiscard]] WeightMap pytorch_weights(const LayerMap& layers);
// Returns the map for keras.layers.Dense: LAYER/kernel [in, out], which is transposed, and LAYER/bias [out].
// `separator` stands between the two names.
[[nodiscard]] WeightMap keras_weights(const LayerMap& layers, const std::string& separator = "/");

// What load_weights accepts.
struct LoadWeightsOptions {
  bool allow_missing = false;  // parameters whose tensors the file lacks keep their values
  // Patterns of tensors that the file may have in addition, such as "optimizer.*" for a checkpoint; see
  // matches_pattern.
  std::vector<std::string> ignore = {};
};
// What load_weights did, as names.
struct LoadedWeights {
  std::vector<std::string> loaded;   // parameters that got new values
  std::vector<std::string> kept;     // parameters that kept their values
  std::vector<std::string> ignored;  // tensors of the file that were not used
};

// Copies the tensors of a file into parameters, converted to f32 from any float type. A parameter that `map`
// does not name is read from the tensor of the same name. Throws Error "[load_weights] path: reasons" that
// lists every parameter without a tensor, every tensor that is neither used nor ignored, every name of the
// map that is no parameter, every shape that does not fit, and outputs of a tensor that are not used or used
// twice; also if the file is damaged or a value is not finite. An error changes no parameter. The loading is
// not thread-safe: no other thread may use the parameters.
LoadedWeights load_weights(const SafetensorsReader& file, std::span<const Parameter> parameters,
                           const WeightMap& map = {}, const LoadWeightsOptions& options = {});

}  // namespace gpuvae
#pragma GCC visibility pop
