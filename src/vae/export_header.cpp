#include "gpuvae/export_header.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "gpuvae/device/posterior.h"
#include "gpuvae/version.h"
#include "kernels/check.h"
#include "src/vae/exported_model.h"
#include "src/vae/header_text.h"

namespace gpuvae {
namespace {

using kernels::Unary;

constexpr const char* kExport = "export_header";

// CUDA has 64 KiB of constant memory, which programs also use for other data. Reading it is fast if all
// threads of a warp read the same weight at a time, as they do when each thread handles one row.
constexpr std::size_t kMaxConstantBytes = 32768;

// A model, and the prefix of all identifiers in its header.
struct NamedModel : ExportedModel {
  std::string name;
  Precision precision;
};

void check_name(const std::string& name) {
  const auto is_part = [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); };
  check(!name.empty() && name.size() <= 100 && std::ranges::all_of(name, is_part) &&
            std::isalpha(static_cast<unsigned char>(name[0])),
        kExport, "expected a name of at most 100 letters, digits and _ that begins with a letter, got '{}'",
        name.substr(0, 120));
}

void check_data(const DataDescription& data, std::int64_t features) {
  const std::int64_t values = std::int64_t{data.height} * data.width;
  check(values == features, kExport, "expected data with {} values per row, like the model, got {}", features,
        values);
  const Standardization& s = data.standardization;
  check(s.empty() || (std::ssize(s.mean) == features && std::ssize(s.stddev) == features), kExport,
        "expected the moments of {} columns, got {} means and {} standard deviations", features,
        s.mean.size(), s.stddev.size());
  const auto finite = [](double v) { return std::isfinite(v); };
  check(std::ranges::all_of(s.mean, finite) && std::ranges::all_of(s.stddev, finite), kExport,
        "expected finite moments of the columns, got infinity or NaN");
  const ValueRange& v = data.values;
  check(!v.scaled || (v.low < v.high && finite(v.low) && finite(v.high)), kExport,
        "expected a finite range of values, got {} to {}", v.low, v.high);
}

bool has_units(const HeaderOptions& options) {
  return options.data && (!options.data->standardization.empty() || options.data->values.scaled);
}

// ---- comments and definitions ----

// Returns the lines of a text, as lines of a comment that none of them can end.
std::string comment_lines(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    for (char& c : line)
      if (c == '*' || static_cast<unsigned char>(c) < ' ') c = ' ';
    lines += line.empty() ? " *\n" : fmt::format(" * {}\n", line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The width of the largest hidden layer of either network.
std::int64_t widest(const ExportedModel& m) {
  std::int64_t width = 0;
  for (const auto* layers : {&m.encoder, &m.decoder})
    for (std::size_t i = 0; i + 1 < layers->size(); ++i) width = std::max(width, (*layers)[i].outputs);
  return width;
}

std::string first_comment(const NamedModel& m, const HeaderOptions& options) {
  constexpr const char* kFunctions =
      R"(/* A variational autoencoder, exported by gpuvae {version}. Each function handles one row. The arrays
 * of a call must not overlap. A call uses at most {stack} bytes of stack for hidden layers.
 *
 *   {n}_encode(x, mean, stddev)    x [{x}]: mean and standard deviation of z, [{z}] each; stddev may be null
 *   {n}_decode(z, mean)            z [{z}]: mean of x, [{x}]
 *   {n}_decode_params(z, params)   z [{z}]: parameters of the likelihood, [{p}]
)";
  std::string text = fmt::format(
      fmt::runtime(kFunctions), fmt::arg("version", version()), fmt::arg("n", m.name),
      fmt::arg("stack", 2 * sizeof(float) * static_cast<std::size_t>(widest(m))), fmt::arg("x", m.features),
      fmt::arg("z", m.latent), fmt::arg("p", m.decoder.back().outputs));
  if (has_units(options))
    text += fmt::format(
        " *   {0}_scale(row, x)              row [{1}] in the units of the file: x as in training\n"
        " *   {0}_unscale(x, row)            the reverse of {0}_scale\n",
        m.name, m.features);
  if (options.format == HeaderFormat::cuda)
    text += fmt::format(
        " *\n * With nvcc and NVRTC, these are device functions. The weights are in constant memory if they "
        "are small,\n * otherwise in global memory. To choose, define {}_WEIGHTS, for example as `static "
        "__device__ const`.\n * Other compilers get plain C99 or C++.\n",
        m.name);
  if (m.precision != Precision::f32)
    text += fmt::format(
        " *\n * This header computes in f32. The library rounds the factors of this model's products to "
        "{}.\n",
        name(m.precision));
  if (options.data) text += " *\n" + comment_lines("Training data: " + describe(options.data->values));
  if (!options.comment.empty()) text += " *\n" + comment_lines(options.comment);
  return text + " */\n";
}

std::size_t array_bytes(const ExportedModel& m, const HeaderOptions& options) {
  std::size_t count = 0;
  for (const auto* layers : {&m.encoder, &m.decoder})
    for (const ExportedLayer& layer : *layers) count += layer.weight.size() + layer.bias.size();
  const std::size_t moments = options.data ? 2 * options.data->standardization.mean.size() : 0;
  return count * sizeof(float) + moments * sizeof(double);
}

std::string preamble(const NamedModel& m, const HeaderOptions& options) {
  const std::string host = fmt::format(
      "#include <math.h>\n#define {0}_FUNCTION static inline\n#ifndef {0}_WEIGHTS\n#define {0}_WEIGHTS "
      "static "
      "const\n#endif\n",
      m.name);
  std::string text = fmt::format("#ifndef GPUVAE_EXPORTED_{0}\n#define GPUVAE_EXPORTED_{0}\n\n", m.name);
  if (options.format == HeaderFormat::c)
    text += host;
  else
    text += fmt::format(
        "#if defined(__CUDACC__) || defined(__CUDACC_RTC__)\n#define {0}_FUNCTION static __device__ inline\n"
        "#ifndef {0}_WEIGHTS\n#define {0}_WEIGHTS static {1} const\n#endif\n#else\n{2}#endif\n",
        m.name, array_bytes(m, options) <= kMaxConstantBytes ? "__constant__" : "__device__", host);
  return text + fmt::format("\nenum {{ {0}_features = {1}, {0}_latent = {2}, {0}_params = {3} }};\n\n",
                            m.name, m.features, m.latent, m.decoder.back().outputs);
}

// ---- functions ----

std::string function_head(const NamedModel& m, std::string_view type, std::string_view function,
                          std::string_view arguments) {
  return fmt::format("\n{0}_FUNCTION {1} {0}_{2}({3}) {{\n", m.name, type, function, arguments);
}

std::string helpers(const NamedModel& m) {
  std::string text = "\n/* y[o] = b[o] + sum over i of w[o][i] x[i], in four partial sums. */" +
                     function_head(m, "void", "dense",
                                   "const float* w, const float* b, int inputs, int outputs,\n"
                                   "    const float* x, float* y") +
                     R"(  int o, i;
  for (o = 0; o < outputs; ++o, w += inputs) {
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    for (i = 0; i + 3 < inputs; i += 4) {
      s0 += w[i] * x[i];
      s1 += w[i + 1] * x[i + 1];
      s2 += w[i + 2] * x[i + 2];
      s3 += w[i + 3] * x[i + 3];
    }
    for (; i < inputs; ++i) s0 += w[i] * x[i];
    y[o] = b[o] + ((s0 + s1) + (s2 + s3));
  }
}
)";
  std::set<Unary> used = {m.mean};
  for (const auto* layers : {&m.encoder, &m.decoder})
    for (const ExportedLayer& layer : *layers) used.insert(layer.activation);
  if (m.posterior.scale == PosteriorScale::softplus) used.insert(Unary::softplus);
  used.erase(Unary::identity);
  for (const Unary f : used)
    text += function_head(m, "float", kernels::name(f), "float x") + c_body(f) + "}\n";
  return text;
}

std::string apply_call(const NamedModel& m, Unary f, std::int64_t count, std::string_view array) {
  if (f == Unary::identity) return "";
  return fmt::format("  for (i = 0; i < {0}; ++i) {1}[i] = {2}_{3}({1}[i]);\n", count, array, m.name,
                     kernels::name(f));
}

// Calls `dense` for the outputs `first`, ..., `first + count - 1` of a layer.
std::string dense_call(const NamedModel& m, const ExportedLayer& layer, std::int64_t first,
                       std::int64_t count, std::string_view x, std::string_view y) {
  const auto at = [](std::int64_t offset) { return offset == 0 ? "" : fmt::format(" + {}", offset); };
  return fmt::format("  {0}_dense({0}_{1}_weight{2}, {0}_{1}_bias{3}, {4}, {5}, {6}, {7});\n", m.name,
                     layer.name, at(first * layer.inputs), at(first), layer.inputs, count, x, y);
}

// The text that computes the hidden layers of a network in the arrays h0 and h1, and the name of the array
// with the result.
struct HiddenLayers {
  std::string text, result;
};
HiddenLayers hidden_layers(const NamedModel& m, const std::vector<ExportedLayer>& layers,
                           std::string_view input, bool needs_counter) {
  HiddenLayers hidden{"", std::string(input)};
  std::int64_t widths[2] = {0, 0};
  std::string calls;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    const std::string next = fmt::format("h{}", i % 2);
    widths[i % 2] = std::max(widths[i % 2], layers[i].outputs);
    calls += dense_call(m, layers[i], 0, layers[i].outputs, hidden.result, next);
    calls += apply_call(m, layers[i].activation, layers[i].outputs, next);
    needs_counter = needs_counter || layers[i].activation != Unary::identity;
    hidden.result = next;
  }
  for (int i = 0; i < 2; ++i)
    if (widths[i] > 0) hidden.text += fmt::format("  float h{}[{}];\n", i, widths[i]);
  if (needs_counter) hidden.text += "  int i;\n";
  hidden.text += calls;
  return hidden;
}

// The standard deviation of a draw as C text, for the scale parameter stddev[i].
std::string stddev_expression(const NamedModel& m) {
  const double noise = m.posterior.noise_std;
  const std::string factor = noise == 1 ? "" : c_literal(static_cast<float>(noise)) + " * ";
  switch (m.posterior.scale) {
    case PosteriorScale::log_sigma:
      return factor + "expf(stddev[i])";
    case PosteriorScale::softplus:
      return fmt::format("{}({}_softplus(stddev[i]) + {})", factor, m.name,
                         c_literal(static_cast<float>(math::kSoftplusSigmaFloor)));
    case PosteriorScale::log_variance:
      break;
  }
  return factor + "expf(0.5f * stddev[i])";
}

std::string encode_function(const NamedModel& m) {
  const HiddenLayers hidden = hidden_layers(m, m.encoder, "x", true);
  const ExportedLayer& head = m.encoder.back();
  return function_head(m, "void", "encode", "const float* x, float* mean, float* stddev") + hidden.text +
         dense_call(m, head, 0, m.latent, hidden.result, "mean") + "  if (!stddev) return;\n" +
         dense_call(m, head, m.latent, m.latent, hidden.result, "stddev") +
         fmt::format("  for (i = 0; i < {}; ++i) stddev[i] = {};\n}}\n", m.latent, stddev_expression(m));
}

std::string decode_functions(const NamedModel& m) {
  const ExportedLayer& output = m.decoder.back();
  const HiddenLayers mean = hidden_layers(m, m.decoder, "z", m.mean != Unary::identity);
  const HiddenLayers params = hidden_layers(m, m.decoder, "z", false);
  return function_head(m, "void", "decode", "const float* z, float* mean") + mean.text +
         dense_call(m, output, 0, m.features, mean.result, "mean") +
         apply_call(m, m.mean, m.features, "mean") + "}\n" +
         function_head(m, "void", "decode_params", "const float* z, float* params") + params.text +
         dense_call(m, output, 0, output.outputs, params.result, "params") + "}\n";
}

std::string unit_functions(const NamedModel& m, const DataDescription& data) {
  const std::string loop = fmt::format("  int i;\n  for (i = 0; i < {}; ++i)\n    ", m.features);
  const Standardization& s = data.standardization;
  std::string arrays, scaled, unscaled;
  if (s.empty()) {
    const std::string low = c_literal(data.values.low), high = c_literal(data.values.high);
    scaled = fmt::format("(float)((row[i] - ({0})) / ({1} - ({0})))", low, high);
    unscaled = fmt::format("(double)x[i] * ({1} - ({0})) + ({0})", low, high);
  } else {
    const std::string declaration = fmt::format("{0}_WEIGHTS double {0}_column_", m.name);
    arrays = fmt::format("\n{}{}", c_array(declaration + "mean", std::span(s.mean)),
                         c_array(declaration + "stddev", std::span(s.stddev)));
    scaled = fmt::format(
        "{0}_column_stddev[i] > 0\n             ? (float)((row[i] - {0}_column_mean[i]) / "
        "{0}_column_stddev[i])\n             : 0.0f",
        m.name);
    unscaled = fmt::format("(double)x[i] * {0}_column_stddev[i] + {0}_column_mean[i]", m.name);
  }
  return arrays + function_head(m, "void", "scale", "const double* row, float* x") + loop +
         "x[i] = " + scaled + ";\n}\n" + function_head(m, "void", "unscale", "const float* x, double* row") +
         loop + "row[i] = " + unscaled + ";\n}\n";
}

}  // namespace

std::string export_header(const Vae& model, const HeaderOptions& options) {
  check_name(options.name);
  check(options.format == HeaderFormat::cuda || options.format == HeaderFormat::c, kExport,
        "expected the format cuda or c, got number {}", static_cast<int>(options.format));
  const NamedModel m{exported_model(model, kExport), options.name, model.options().precision};
  if (options.data) check_data(*options.data, model.options().features);
  std::string text = first_comment(m, options) + preamble(m, options);
  const std::string declaration = fmt::format("{0}_WEIGHTS float {0}_", m.name);
  for (const auto* layers : {&m.encoder, &m.decoder})
    for (const ExportedLayer& layer : *layers) {
      text += c_array(declaration + layer.name + "_weight", std::span(layer.weight));
      text += c_array(declaration + layer.name + "_bias", std::span(layer.bias));
    }
  text += helpers(m) + encode_function(m) + decode_functions(m);
  if (has_units(options)) text += unit_functions(m, *options.data);
  return text + "\n#endif\n";
}

}  // namespace gpuvae
