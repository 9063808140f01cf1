// exported_models FOLDER: exports models of every kind and writes, beside each header, inputs and what the
// library computes for them. The tests of the headers compile both (exported_test.c, exported_test.cu).
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "gpuvae/export_header.h"
#include "src/io/file.h"
#include "src/vae/header_text.h"

namespace gpuvae {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRows = 37;

struct ExportCase {
  std::string name;
  VaeOptions options;
  HeaderFormat format = HeaderFormat::cuda;
  std::optional<DataDescription> data = {};
};

// A model with random biases, too.
VaeOptions model_of(std::int64_t features, std::vector<std::int64_t> widths, std::int64_t latent,
                    Activation activation, PosteriorScale scale, double noise_std,
                    std::shared_ptr<const Likelihood> likelihood) {
  VaeOptions o;
  o.features = features;
  o.encoder_widths = std::move(widths);
  o.latent = latent;
  o.activation = activation;
  o.posterior = diagonal_gaussian({scale, noise_std});
  o.likelihood = std::move(likelihood);
  o.initializer = {.bias_std = 0.5, .seed = 3};
  return o;
}

DataDescription table_of(int columns) {
  DataDescription data;
  data.height = 1;
  data.width = columns;
  return data;
}

std::vector<ExportCase> cases() {
  using A = Activation;
  using S = PosteriorScale;
  DataDescription standardized = table_of(4), scaled = table_of(3);
  standardized.values.kind = ValueKind::standardized;
  standardized.standardization = {.mean = {1.7e9, -0.1, 5, 1e-30}, .stddev = {29.5, 3, 0, 1e-31}};
  scaled.values = {.kind = ValueKind::any, .low = -2.5, .high = -0.3, .scaled = true};
  std::vector<ExportCase> all = {
      {"linear_model", model_of(3, {1}, 1, A::identity, S::log_variance, 1, bernoulli_likelihood())},
      {"relu_model", model_of(17, {33, 5}, 2, A::relu, S::log_sigma, 1, gaussian_likelihood())},
      {"leaky_model", model_of(5, {1000}, 3, A::leaky_relu, S::softplus, 1,
                               laplace_likelihood({.sigmoid_location = false}))},
      {"sigmoid_model",
       model_of(1, {3}, 31, A::sigmoid, S::log_variance, 0.1, continuous_bernoulli_likelihood())},
      {"tanh_model", model_of(13, {}, 4, A::tanh, S::softplus, 0.5, fixed_gaussian_likelihood(0.1))},
      {"softplus_model",
       model_of(4, {7, 2, 9}, 2, A::softplus, S::log_sigma, 0.3, shared_gaussian_likelihood()),
       HeaderFormat::cuda, standardized},
      {"gelu_model",
       model_of(3, {8}, 2, A::gelu, S::log_variance, 0, gaussian_likelihood({.sigmoid_mean = false})),
       HeaderFormat::cuda, scaled},
      {"silu_model", model_of(20, {16, 12}, 5, A::silu, S::log_variance, 1, laplace_likelihood())},
      {"mnist_model", model_of(784, {256}, 2, A::relu, S::log_variance, 1, bernoulli_likelihood())},
      {"host_model", model_of(6, {5}, 2, A::tanh, S::log_variance, 1, bernoulli_likelihood()),
       HeaderFormat::c}};
  all[7].options.decoder_widths = {11, 3, 2};
  all[7].options.prior = gaussian_mixture_prior(3);
  return all;
}

template <class T>
std::string test_array(const std::string& model, const char* what, const std::vector<T>& values) {
  const char* type = sizeof(T) == sizeof(double) ? "double" : "float";
  return c_array(fmt::format("static const {} {}_test_{}", type, model, what), std::span<const T>(values));
}

// Rows in the units of the file, the same rows as the library standardises or scales them, and back.
std::string units(const ExportCase& c) {
  std::vector<double> rows;
  for (int r = 0; r < 5; ++r)
    for (int i = 0; i < c.data->width; ++i) {
      const Standardization& s = c.data->standardization;
      rows.push_back(s.empty() ? -2.5 + 0.1 * r + 0.7 * i : s.mean[i] + (r - 2) * (1.1 + i) * s.stddev[i]);
    }
  std::vector<float> x;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t column = i % static_cast<std::size_t>(c.data->width);
    const double low = c.data->values.low, high = c.data->values.high;
    const Standardization& s = c.data->standardization;
    if (s.empty())
      x.push_back(static_cast<float>((rows[i] - low) / (high - low)));
    else
      x.push_back(s.stddev[column] > 0 ? static_cast<float>((rows[i] - s.mean[column]) / s.stddev[column])
                                       : 0);
  }
  return test_array(c.name, "row", rows) + test_array(c.name, "scaled", x) +
         test_array(c.name, "unscaled", restored(*c.data, x));
}

std::string expectations(const ExportCase& c, const Vae& model) {
  const NoGradGuard no_grad;
  const VaeOptions& o = model.options();
  const Noise noise{.seed = 5, .purpose = RandomPurpose::test};
  const Tensor x = random_uniform({kRows, o.features}, noise),
               z = random_normal({kRows, o.latent}, noise, 0, 2);
  const Variable posterior = model.encode(x);
  const Tensor mean = model.encode_mean(x).value();
  // A draw with epsilon 1 is the mean plus the standard deviation.
  Draw draw;
  draw.epsilon = Tensor::full({kRows, o.latent}, 1);
  const Tensor sum = model.posterior().rsample(posterior, draw).value();
  return test_array(c.name, "x", x.to_vector()) + test_array(c.name, "z", z.to_vector()) +
         test_array(c.name, "mean", mean.to_vector()) + test_array(c.name, "draw", sum.to_vector()) +
         test_array(c.name, "decoded", model.decode_mean(z).value().to_vector()) +
         test_array(c.name, "decoded_params", model.decode(z).value().to_vector());
}

void write_models(const fs::path& folder) {
  std::string index = fmt::format("#define EXPORTED_ROWS {}\n", kRows), models, host_models, with_units;
  for (const ExportCase& c : cases()) {
    const Vae model(c.options, Device::cpu());
    io::write_file(
        folder / (c.name + ".h"),
        export_header(model, {.name = c.name, .format = c.format, .data = c.data, .comment = "A */ b"}),
        io::Sync::no);
    io::write_file(folder / (c.name + "_expected.h"),
                   expectations(c, model) + (c.data ? units(c) : std::string()), io::Sync::no);
    index += fmt::format("#include \"{0}.h\"\n#include \"{0}_expected.h\"\n", c.name);
    // Kernels cannot call the functions of a plain C header.
    if (c.format == HeaderFormat::cuda) models += fmt::format(" X({})", c.name);
    host_models += fmt::format(" X({})", c.name);
    if (c.data) with_units += fmt::format(" X({})", c.name);
  }
  index += fmt::format(
      "#define EXPORTED_MODELS(X){}\n#define EXPORTED_HOST_MODELS(X){}\n#define EXPORTED_UNITS(X){}\n",
      models, host_models, with_units);
  io::write_file(folder / "exported_models.h", index, io::Sync::no);
}

}  // namespace
}  // namespace gpuvae

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    gpuvae::io::make_folder(argv[1]);
    gpuvae::write_models(argv[1]);
  } catch (const gpuvae::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
