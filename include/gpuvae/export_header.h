// Writes a trained model as source code: one header for C, C++ and CUDA programs that depends on nothing.
#pragma once

#include <optional>
#include <string>

#include "gpuvae/data.h"
#include "gpuvae/vae.h"

namespace gpuvae {

// The language of an exported header.
enum class HeaderFormat : std::uint8_t {
  cuda,  // for nvcc and NVRTC: device functions, weights in device memory; other compilers: the same as c
  c,     // for C99 and C++, also in the host code of a .cu file
};

// Settings of export_header().
struct HeaderOptions {
  std::string name = "model";                // prefix of all identifiers: a letter, then letters, digits, _
  HeaderFormat format = HeaderFormat::cuda;  // language
  std::optional<DataDescription> data = {};  // the training data; adds conversions from and to their units
  std::string comment = {};                  // further lines of the header's first comment
};

// Returns the text of a header with the model's weights and these functions, for the default name "model".
// Each of them handles one row and may be called from any thread; the arrays must not overlap.
//
//   void model_encode(const float* x, float* mean, float* stddev);
//     The mean and the standard deviation of the posterior's draws, [latent] each, for x [features]. A draw
//     is mean + stddev * epsilon with standard normal epsilon. `stddev` may be null.
//   void model_decode(const float* z, float* mean);
//     The mean of p(x | z), [features], for z [latent].
//   void model_decode_params(const float* z, float* params);
//     The parameters of p(x | z), [params_per_feature * features], as Vae::decode returns them.
//   void model_scale(const double* row, float* x);
//   void model_unscale(const float* x, double* row);
//     Standardise or scale a row [features] in the units of the training data's file, and reverse this. They
//     are present if `data` says that the training data were standardised or scaled.
//
// The constants model_features, model_latent and model_params have the lengths of the arrays. A call keeps
// two of the hidden layers on the stack. The functions compute in f32, also for a model with another
// Precision. The weights have the bits of the model, and the results agree with the library up to rounding.
//
// Throws Error (unsupported) for a posterior other than diagonal_gaussian() and for a custom likelihood,
// whose formulas are not known as C, and Error for an unusable name, for weights that are not finite, and for
// data that do not fit the model. Waits for the model's device.
[[nodiscard]] std::string export_header(const Vae& model, const HeaderOptions& options = {});

}  // namespace gpuvae
