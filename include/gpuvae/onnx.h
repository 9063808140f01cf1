// Export of a model as ONNX (onnx.ai), for ONNX Runtime, TensorRT, OpenVINO and web browsers.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "gpuvae/vae.h"

namespace gpuvae {

// What the ONNX file says in addition to the graph.
struct OnnxOptions {
  std::map<std::string, std::string> metadata = {};  // the model's metadata_props
  // What the values of x mean, such as "pixels / 255": the description of the input or output. The graph does
  // not scale data.
  std::string x_description = {};
};

// @{
// Writes the encoder q(z | x) or the decoder p(x | z) with the current parameters, in f32 and operator
// set 17. The number of rows is "batch", which the caller chooses when the model runs.
//
// The encoder maps x [batch, features] and epsilon [batch, latent], standard normal numbers, to the outputs
// posterior_params [batch, 2 latent], mean [batch, latent], stddev [batch, latent] and z = mean + epsilon *
// stddev. With epsilon = 0, z is the mean. The decoder maps z [batch, latent] to params [batch,
// params_per_feature * features] and mean [batch, features], which is E[x | z].
//
// The file is written completely or not at all. Throws Error (unsupported) for a posterior, or a likelihood,
// that the library does not provide, and Error (not_finite) if a parameter is not finite.
void export_onnx_encoder(const Vae& model, const std::filesystem::path& path,
                         const OnnxOptions& options = {});
void export_onnx_decoder(const Vae& model, const std::filesystem::path& path,
                         const OnnxOptions& options = {});
// @}

}  // namespace gpuvae
