// Writes ONNX files of small models, and what the library computes for the same inputs, for onnx_test.py:
// "onnx_models FOLDER". Each case has the files NAME-encoder.onnx, NAME-decoder.onnx and NAME.safetensors.
#include <cstdio>

#include "gpuvae/onnx.h"
#include "gpuvae/safetensors.h"

namespace {

using namespace gpuvae;

constexpr std::int64_t kRows = 7;

Tensor normal(std::int64_t columns, std::uint64_t seed, double stddev) {
  return random_normal({kRows, columns}, {.seed = seed, .purpose = RandomPurpose::test}, 0, stddev);
}

void write_case(const std::filesystem::path& folder, const std::string& name, VaeOptions options) {
  // Large weights reach both branches of every formula.
  options.initializer = {.weight = WeightInit::normal, .weight_std = 0.7, .bias_std = 0.5, .seed = 5};
  const Vae model(options, Device::cpu());
  const NoGradGuard no_grad;
  const Tensor x = normal(options.features, 1, 1), epsilon = normal(options.latent, 2, 1);
  const Variable params = model.encode(x);
  Draw draw;
  draw.epsilon = epsilon;
  const Variable z = model.encode_sample(x, draw), mean = model.posterior().mean(params);
  const Tensor codes = normal(options.latent, 3, 2);
  const Variable decoded = model.decode(codes);
  const NamedTensor tensors[] = {{"x", x},
                                 {"epsilon", epsilon},
                                 {"posterior_params", params.value()},
                                 {"encoder_mean", mean.value()},
                                 {"z", z.value()},
                                 {"codes", codes},
                                 {"params", decoded.value()},
                                 {"decoder_mean", model.likelihood().mean(decoded).value()}};
  write_safetensors(folder / (name + ".safetensors"), tensors);
  const OnnxOptions onnx{.metadata = {{"case", name}}, .x_description = "numbers"};
  export_onnx_encoder(model, folder / (name + "-encoder.onnx"), onnx);
  export_onnx_decoder(model, folder / (name + "-decoder.onnx"), onnx);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw Error("onnx_models", "expected a folder");
    const std::filesystem::path folder = argv[1];
    const VaeOptions base{.features = 9, .encoder_widths = {7, 5}, .latent = 3};
    const auto with = [&](auto change) {
      VaeOptions options = base;
      change(options);
      return options;
    };
    for (const Activation a : all_activations())
      write_case(folder, "activation-" + std::string(name(a)), with([&](auto& o) { o.activation = a; }));
    write_case(folder, "gated", with([](auto& o) { o.gated = true; }));
    for (const PosteriorScale s :
         {PosteriorScale::log_variance, PosteriorScale::log_sigma, PosteriorScale::softplus})
      write_case(folder, "scale-" + std::string(name(s)),
                 with([&](auto& o) { o.posterior = diagonal_gaussian({.scale = s, .noise_std = 0.5}); }));
    const std::pair<const char*, std::shared_ptr<const Likelihood>> likelihoods[] = {
        {"continuous-bernoulli", continuous_bernoulli_likelihood()},
        {"gaussian", gaussian_likelihood()},
        {"gaussian-identity", gaussian_likelihood({.sigmoid_mean = false})},
        {"laplace", laplace_likelihood()},
        {"laplace-identity", laplace_likelihood({.sigmoid_location = false})},
        {"shared-gaussian", shared_gaussian_likelihood()},
        {"fixed-gaussian", fixed_gaussian_likelihood(0.1, false)}};
    for (const auto& [name, likelihood] : likelihoods)
      write_case(folder, name, with([&](auto& o) { o.likelihood = likelihood; }));
    write_case(folder, "no-hidden-layers", with([&](auto& o) { o.encoder_widths = {}; }));
    write_case(folder, "widths-of-one", {.features = 1, .encoder_widths = {1}, .latent = 1});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
