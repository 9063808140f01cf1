// Loads weights that PyTorch and Keras wrote (tests/interop), and compares the model's outputs with theirs.
#include "gpuvae/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gpuvae/optim.h"
#include "gpuvae/train.h"
#include "gpuvae/vae.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::TemporaryFolder;

const std::filesystem::path kWeights = GPUVAE_SOURCE_DIR "/tests/interop/weights";
const LoadWeightsOptions kIgnoreOutputs{.ignore = {"test.*"}};
const LayerMap kSplitHeads = {{"encoder.0", {"fc1"}},
                              {"encoder.1", {"fc2"}},
                              {"posterior", {"fc_mean", "fc_logvar"}},
                              {"decoder.0", {"fc3"}},
                              {"output", {"fc4"}}};

Vae model_of(std::vector<std::int64_t> encoder, std::vector<std::int64_t> decoder,
             Activation activation = Activation::relu) {
  return Vae({.features = 6,
              .encoder_widths = std::move(encoder),
              .decoder_widths = std::move(decoder),
              .latent = 2,
              .activation = activation},
             Device::cpu());
}

void expect_near(const Variable& ours, const Tensor& theirs, const char* what) {
  ASSERT_EQ(ours.shape(), theirs.shape()) << what;
  const std::vector<float> a = ours.value().to_vector(), b = theirs.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= 1e-5f))
      ADD_FAILURE() << what << "[" << i << "]: " << a[i] << " and " << b[i];
}

// Compares posterior, draw and reconstruction with the outputs in the file.
void expect_outputs(const Vae& model, const SafetensorsReader& file) {
  const NoGradGuard no_grad;
  const Variable x(file.read("test.x")), params = model.encode(x);
  expect_near(model.posterior().mean(params), file.read("test.mean"), "mean");
  expect_near(columns(params, 2, 2), file.read("test.logvar"), "logvar");
  Draw draw;
  draw.epsilon = file.read("test.epsilon");
  const Variable z = model.encode_sample(x, draw);
  expect_near(z, file.read("test.z"), "z");
  expect_near(model.decode_mean(z), file.read("test.decoded"), "decoded");
}

TEST(LoadWeights, PyTorchWithTwoHeads) {
  const SafetensorsReader file(kWeights / "pytorch.safetensors");
  const Vae model = model_of({5, 4}, {4});
  const LoadedWeights loaded =
      load_weights(file, model.parameters(), pytorch_weights(kSplitHeads), kIgnoreOutputs);
  EXPECT_EQ(loaded.loaded.size(), model.parameters().size());
  EXPECT_TRUE(loaded.kept.empty());
  EXPECT_EQ(loaded.ignored.size(), 6u);
  expect_outputs(model, file);
}

TEST(LoadWeights, PyTorchWithAJointHeadInAnotherOrderAndBf16) {
  const SafetensorsReader file(kWeights / "pytorch_joint.safetensors");
  const auto head = std::ranges::find(file.tensors(), "head.weight", &TensorInfo::name);
  EXPECT_EQ(head->dtype, "BF16");
  const Vae model = model_of({5}, {5}, Activation::tanh);
  const WeightMap map = pytorch_weights({{"encoder.0", {"encoder.0"}},
                                         {"posterior", {{"head", 2, 2}, {"head", 0, 2}}},
                                         {"decoder.0", {"decoder.0"}},
                                         {"output", {"decoder.2"}}});
  load_weights(file, model.parameters(), map, kIgnoreOutputs);
  expect_outputs(model, file);
}

TEST(LoadWeights, KerasKernelsAreTransposed) {
  const SafetensorsReader file(kWeights / "keras.safetensors");
  const Vae model = model_of({5}, {5});
  const WeightMap map = keras_weights({{"encoder.0", {"enc_hidden"}},
                                       {"posterior", {"z_mean", "z_log_var"}},
                                       {"decoder.0", {"dec_hidden"}},
                                       {"output", {"dec_output"}}});
  load_weights(file, model.parameters(), map, kIgnoreOutputs);
  expect_outputs(model, file);
}

TEST(LoadWeights, TheFilesOfTheLibraryNeedNoMap) {
  const TemporaryFolder folder;
  const Vae saved = model_of({5}, {4});
  const Vae loaded = model_of({5}, {4});
  for (const Parameter& p : loaded.parameters()) p.variable.value().fill(9);
  save_parameters(folder / "model", saved.parameters());
  load_weights(SafetensorsReader(folder / "model"), loaded.parameters());
  Adam adam(saved.parameters());
  save_checkpoint(folder / "checkpoint", saved.parameters(), adam, 3);
  const LoadedWeights report = load_weights(SafetensorsReader(folder / "checkpoint"), loaded.parameters(), {},
                                            {.ignore = {"optimizer.*"}});
  EXPECT_EQ(report.ignored, (std::vector<std::string>{"optimizer.state1", "optimizer.state2"}));
  for (std::size_t i = 0; i < saved.parameters().size(); ++i)
    EXPECT_EQ(loaded.parameters()[i].variable.value().to_vector(),
              saved.parameters()[i].variable.value().to_vector());
}

TEST(LoadWeights, APartOfAModel) {
  const TemporaryFolder folder;
  const NamedTensor bias[] = {{"output.bias", Tensor::full({6}, 0.25)}};
  write_safetensors(folder / "f", bias);
  const Vae model = model_of({5}, {4});
  const std::vector<float> before = model.output().weight.value().to_vector();
  const LoadedWeights report =
      load_weights(SafetensorsReader(folder / "f"), model.parameters(), {}, {.allow_missing = true});
  EXPECT_EQ(report.loaded, (std::vector<std::string>{"output.bias"}));
  EXPECT_EQ(report.kept.size(), model.parameters().size() - 1);
  EXPECT_EQ(model.output().bias.value().to_vector(), std::vector<float>(6, 0.25f));
  EXPECT_EQ(model.output().weight.value().to_vector(), before);
}

// The reasons of the error, without "[load_weights] path: ". No parameter changes.
std::string load_error(const std::filesystem::path& path, const Vae& model, const WeightMap& map,
                       const LoadWeightsOptions& options = kIgnoreOutputs) {
  std::vector<std::vector<float>> before;
  for (const Parameter& p : model.parameters()) before.push_back(p.variable.value().to_vector());
  const std::string message =
      error_of([&] { load_weights(SafetensorsReader(path), model.parameters(), map, options); });
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(model.parameters()[i].variable.value().to_vector(), before[i]);
  const std::string prefix = "[load_weights] " + path.string() + ": ";
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.substr(std::min(prefix.size(), message.size()));
}

TEST(LoadWeights, ListsEveryNameThatDoesNotFit) {
  LayerMap layers = kSplitHeads;
  layers["encoder.1"] = {"fc20"};
  layers["output"] = {"fc40"};
  layers["outputs"] = {"fc4"};
  const std::string error =
      load_error(kWeights / "pytorch.safetensors", model_of({5, 4}, {4}), pytorch_weights(layers), {});
  EXPECT_NE(error.find("parameters without a tensor: encoder.1.weight (tensor 'fc20.weight'), encoder.1.bias "
                       "(tensor 'fc20.bias'), output.weight (tensor 'fc40.weight'), output.bias (tensor "
                       "'fc40.bias')"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("tensors that belong to no parameter: "), std::string::npos) << error;
  for (const char* name : {"'fc2.weight'", "'fc2.bias'", "'fc4.weight'", "'fc4.bias'", "'test.x'"})
    EXPECT_NE(error.find(name), std::string::npos) << name << ": " << error;
  EXPECT_NE(error.find("names of the map that are no parameter: 'outputs.bias', 'outputs.weight'"),
            std::string::npos)
      << error;
}

TEST(LoadWeights, NamesShapesThatDoNotFit) {
  const std::string error =
      load_error(kWeights / "pytorch.safetensors", model_of({5, 3}, {4}), pytorch_weights(kSplitHeads));
  EXPECT_NE(
      error.find("encoder.1.weight: expected [3, 5], got 'fc2.weight' [4, 5]; encoder.1.bias: expected [3], "
                 "got 'fc2.bias' [4]; posterior.weight: expected [4, 3], got 'fc_mean.weight' [2, 4] and "
                 "'fc_logvar.weight' [2, 4]"),
      std::string::npos)
      << error;
  const WeightMap not_transposed = {{"encoder.0.weight", {{"enc_hidden/kernel"}}}};
  EXPECT_NE(
      load_error(kWeights / "keras.safetensors", model_of({5}, {5}), not_transposed)
          .find("encoder.0.weight: expected [5, 6], got 'enc_hidden/kernel' [6, 5], which fits if transposed "
                "is true"),
      std::string::npos);
}

TEST(LoadWeights, EachOutputIsUsedOnce) {
  const std::filesystem::path path = kWeights / "pytorch_joint.safetensors";
  const auto error = [&](std::vector<WeightPart> head) {
    return load_error(path, model_of({5}, {5}),
                      pytorch_weights({{"encoder.0", {"encoder.0"}},
                                       {"posterior", std::move(head)},
                                       {"decoder.0", {"decoder.0"}},
                                       {"output", {"decoder.2"}}}));
  };
  const std::string twice = error({{"head", 0, 2}, {"head", 0, 2}});
  EXPECT_NE(twice.find("outputs of 'head.weight' are used twice"), std::string::npos) << twice;
  EXPECT_NE(twice.find("some of the 4 outputs of 'head.weight' are not used"), std::string::npos) << twice;
  const std::string beyond = error({{"head", 3, 2}, {"head", 0, 2}});
  EXPECT_NE(beyond.find("posterior.weight: expected outputs within the 4 of 'head.weight' [4, 5], got 2 from "
                        "output 3 on"),
            std::string::npos)
      << beyond;
}

TEST(LoadWeights, RefusesNumbersThatAreNotFinite) {
  const TemporaryFolder folder;
  const NamedTensor bias[] = {{"output.bias", Tensor::full({6}, std::numeric_limits<double>::quiet_NaN())}};
  write_safetensors(folder / "f", bias);
  EXPECT_EQ(load_error(folder / "f", model_of({5}, {4}), {}, {.allow_missing = true}),
            "expected finite values for output.bias, got nan");
}

}  // namespace
}  // namespace gpuvae
