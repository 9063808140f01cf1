// Loads a VAE that PyTorch trained, and decodes a latent code. Argument: a file that PyTorch wrote with
// safetensors.torch.save_file(model.state_dict(), "vae.safetensors").
//
// The tests run this program with tests/interop/weights/pytorch.safetensors, which
// tests/interop/pytorch_weights.py writes.
//
// Prints:
//   loaded 10 parameters
//   decoded 0.4278 0.4854 0.5779 0.5519 0.4442 0.5455
#include <gpuvae/gpuvae.h>

#include <cstdio>
#include <vector>

using namespace gpuvae;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: pytorch_weights FILE.safetensors\n");
    return 2;
  }
  try {
    const SafetensorsReader file(argv[1]);
    // The layers and their widths must be those of the PyTorch module.
    const Vae model({.features = 6, .encoder_widths = {5, 4}, .decoder_widths = {4}, .latent = 2},
                    Device::cpu());
    // Layers of the model, and the names of the module's nn.Linear layers. The module has two heads, which
    // compute the means and the log variances; here, they are one layer.
    const WeightMap map = pytorch_weights({{"encoder.0", {"fc1"}},
                                           {"encoder.1", {"fc2"}},
                                           {"posterior", {"fc_mean", "fc_logvar"}},
                                           {"decoder.0", {"fc3"}},
                                           {"output", {"fc4"}}});
    const LoadedWeights loaded = load_weights(file, model.parameters(), map, {.ignore = {"test.*"}});
    std::printf("loaded %zu parameters\n", loaded.loaded.size());
    const Variable z(Tensor::from(std::vector<float>{0.5f, -1}, {1, 2}));
    std::printf("decoded");
    for (const float v : model.decode_mean(z).value().to_vector())
      std::printf(" %.4f", static_cast<double>(v));
    std::printf("\n");
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
