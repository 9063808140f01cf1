// Makes pages for explorer_page_test.sh: `pages FOLDER` from random decoders, each with the latents and
// images that the page must reproduce.
#include <fmt/ranges.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "apps/program/program.h"
#include "apps/report/report.h"
#include "gpuvae/vae.h"
#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;
using Decode = std::function<Variable(const Variable&)>;

constexpr std::int64_t kChecked = 10;

Tensor draws(std::int64_t rows, std::int64_t columns, std::uint64_t seed, double deviation = 1) {
  return random_normal({rows, columns}, {.seed = seed, .purpose = RandomPurpose::test}, 0, deviation);
}

std::string rows_json(const Tensor& matrix) {
  const std::vector<float> values = matrix.to_vector();
  const auto columns = static_cast<std::size_t>(matrix.shape()[1]);
  std::vector<std::string> rows;
  for (std::size_t at = 0; at < values.size(); at += columns)
    rows.push_back(
        fmt::format("[{:.9g}]", fmt::join(values.begin() + at, values.begin() + at + columns, ", ")));
  return fmt::format("[{}]", fmt::join(rows, ",\n"));
}

void write_latents(const fs::path& path, std::int64_t latent, const Decode& decode) {
  const NoGradGuard no_grad;
  const Tensor z = draws(kChecked, latent, 1, 1.5);
  io::write_file(
      path, fmt::format("{{\"latents\": {}, \"images\": {}}}\n", rows_json(z), rows_json(decode(z).value())));
}

// ---- random decoders ----

struct RandomDecoder {
  std::vector<Linear> layers;
  GatedLinear gated = {};  // the first layer, if it has a weight; then layers[0] is not used

  Variable operator()(const Variable& z) const {
    Variable x = z;
    for (std::size_t i = 0; i < layers.size(); ++i) x = i == 0 && gated.both.weight ? gated(x) : layers[i](x);
    return x;
  }
};

RandomDecoder random_decoder(std::vector<std::int64_t> sizes, const std::vector<Activation>& activations) {
  RandomDecoder decoder;
  for (std::size_t i = 0; i < activations.size(); ++i)
    decoder.layers.emplace_back(fmt::format("{}", i), sizes[i], sizes[i + 1], activations[i],
                                Initializer{WeightInit::two_over_root_fan_in, 0.01, 0.5, sizes.size() + i},
                                Device::cpu());
  return decoder;
}

PageLayer page_layer(const Tensor& weight, const Tensor& bias, Activation activation) {
  return {activation, weight.shape()[1], weight.shape()[0], weight.to_vector(), bias.to_vector()};
}

ExplorerPage random_page(const RandomDecoder& decoder, std::string title, int height, int width,
                         std::int64_t points) {
  ExplorerPage page;
  page.title = std::move(title);
  page.subtitle = "random weights, nothing trained: </script><script>throw 1</script> & \"quotes\"";
  page.height = height;
  page.width = width;
  for (const Linear& layer : decoder.layers)
    page.decoder.push_back(page_layer(layer.weight.value(), layer.bias.value(), layer.activation));
  if (decoder.gated.both.weight) {
    const Linear& both = decoder.gated.both;
    PageLayer layer = page_layer(both.weight.value(), both.bias.value(), Activation::identity);
    layer.out /= 2;
    layer.gated = true;
    page.decoder.front() = std::move(layer);
  }
  const std::int64_t latent = page.decoder.front().in;
  if (points > 0) page.points = draws(points, latent, 2).to_vector();
  page.sliders = sliders_around(page.points, latent);
  return page;
}

struct Made {
  RandomDecoder decoder;
  ExplorerPage page;
};

Made plane() {  // images from two dimensions, with ten labels
  using enum Activation;
  Made m{random_decoder({2, 32, 784}, {relu, sigmoid}), {}};
  m.page = random_page(m.decoder, "A plane </title></script><script>throw 1</script><!--", 28, 28, 2000);
  for (int i = 0; i < 2000; ++i) m.page.labels.push_back(i % 10);
  return m;
}

Made space() {  // images that are not square, three dimensions, and labels that are a quantity
  using enum Activation;
  Made m{random_decoder({3, 24, 16, 20, 560}, {tanh, softplus, leaky_relu, sigmoid}), {}};
  m.page = random_page(m.decoder, "Space", 28, 20, 500);
  for (int i = 0; i < 500; ++i) m.page.labels.push_back(i);
  m.page.sliders[1] = {.name = "a long name </script> of z2", .low = -1, .high = 4, .step = 0.1, .scale = 2};
  m.page.sliders[2].scale = -0.5;
  return m;
}

Made table() {  // a table's row, eight dimensions, no data
  using enum Activation;
  Made m{random_decoder({8, 16, 6}, {relu, identity}), {}};
  m.page = random_page(m.decoder, "A table", 1, 6, 0);
  m.page.column_names = {"age", "height", "weight & size", "a very long name of a column, much too long",
                         "<b>", "last"};
  return m;
}

Made line() {  // one dimension, a gated layer, data without labels
  using enum Activation;
  Made m{random_decoder({1, 16, 36}, {tanh, sigmoid}), {}};
  m.decoder.gated = GatedLinear("gated", 1, 16, {WeightInit::he_normal, 0.01, 0.5, 9}, Device::cpu());
  m.page = random_page(m.decoder, "A line", 6, 6, 300);
  return m;
}

Made activations() {  // one layer for each activation
  const std::span<const Activation> all = all_activations();
  std::vector<std::int64_t> sizes(all.size() + 2, 12);
  sizes.front() = 2;
  sizes.back() = 36;
  std::vector<Activation> layers(all.begin(), all.end());
  layers.push_back(Activation::sigmoid);
  Made m{random_decoder(sizes, layers), {}};
  m.page = random_page(m.decoder, "Activations", 6, 6, 100);
  return m;
}

std::string drawing(const char* colour) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" width=\"640\" height=\"360\">"
      "<path id=\"p\" fill=\"none\" stroke=\"{}\" stroke-width=\"4\" d=\"M20 40C120 320 240 300 620 330\"/>"
      "<text x=\"320\" y=\"60\" font-size=\"20\" text-anchor=\"middle\">validation loss</text></svg>",
      colour);
}

ReportPage report(ExplorerPage explorer) {
  ReportPage page;
  page.title = "A report <of a run>";
  page.subtitle = "preset keras-mnist, seed 0";
  page.warnings = {"2 of 20 latent dimensions carry less than 0.01 nats: posterior collapse"};
  page.numbers = {{"validation loss", "152.29", "nats/image", "mean of 10,000 images"},
                  {"reconstruction", "147.10", "nats/image", "mean of 10,000 images"},
                  {"KL divergence", "5.19", "nats/image", "sum over 2 dimensions"},
                  {"training", "4.1", "s", "3 epochs on the CPU"}};
  page.pictures = {{"Loss", "nats per image, an epoch a point", drawing("#0072b2"), "", false},
                   {"KL divergence", "nats per image", drawing("#d55e00"), "", false},
                   {"Wide", "a row of its own", drawing("#009e73"), "", true}};
  page.configuration = {{"Run", {{"seed", "0"}, {"device", "cpu"}}},
                        {"Model", {{"hidden", "256"}, {"latent", "2"}, {"activation", "relu"}}}};
  page.explorer = std::move(explorer);
  return page;
}

void write_made(const fs::path& folder, const std::string& name, const Made& made) {
  io::write_file(folder / (name + ".html"), explorer_html(made.page));
  write_latents(folder / (name + ".json"), static_cast<std::int64_t>(made.page.sliders.size()), made.decoder);
}

void write_pages(const fs::path& folder) {
  io::make_folder(folder);
  write_made(folder, "plane", plane());
  write_made(folder, "space", space());
  write_made(folder, "table", table());
  write_made(folder, "line", line());
  write_made(folder, "activations", activations());
  const Made inside = space();
  io::write_file(folder / "report.html", report_html(report(inside.page)));
  write_latents(folder / "report.json", 3, inside.decoder);
}

}  // namespace
}  // namespace gpuvae::apps

int main(int argc, char** argv) {
  using namespace gpuvae::apps;
  const std::string task = argc > 1 ? argv[1] : "";
  return run_guarded("explorer_page_tool", [&] {
    if (task == "pages" && argc == 3) return write_pages(argv[2]);
    gpuvae::fail("usage", "expected 'pages FOLDER', got {} arguments", argc - 1);
  });
}
