// Writes one figure of each kind to a folder, to be inspected by eye: plot_gallery FOLDER [MODEL]. MODEL is
// the model.safetensors of a run with the preset keras-mnist. Without it, the model is untrained.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "apps/plot/plot.h"
#include "apps/report/model_graph.h"
#include "apps/report/pca.h"
#include "apps/report/pictures.h"
#include "gpuvae/data.h"
#include "gpuvae/train.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

struct Gallery {
  fs::path folder;

  void add(const std::string& name, const std::string& svg) const {
    io::write_file(folder / (name + ".svg"), svg);
    std::printf("%-28s %7.1f KB\n", name.c_str(), static_cast<double>(svg.size()) / 1024);
  }
};

// A loss that falls from `first` to `last`.
Series decay(const char* name, int epochs, double first, double last, double rate, bool dashed) {
  Series s{name, {}, {}, dashed, false};
  for (int e = 1; e <= epochs; ++e) {
    s.x.push_back(e);
    s.y.push_back(last + (first - last) * std::exp(-rate * (e - 1)) * (1 + 0.03 * std::sin(9.7 * e)));
  }
  return s;
}

void draw_curves(const Gallery& g) {
  for (const int epochs : {1, 3, 9, 50, 500}) {
    LineChart chart{"Loss", "epoch", "nats per image", {}, false, false};
    chart.series = {decay("training", epochs, 190.75, 161, 8.0 / epochs, true),
                    decay("validation", epochs, 172.3, 162.5, 8.0 / epochs, false)};
    for (Series& s : chart.series) s.markers = epochs < 10;
    g.add(fmt::format("loss-{}", epochs), line_chart_svg(chart));
  }
  LineChart frey{"Frey faces: −ELBO", "epoch", "nats per image", {}, false, true};
  frey.series = {decay("training", 200, 292, -620, 0.06, true),
                 decay("validation", 200, 280, -590, 0.06, false)};
  g.add("loss-frey", line_chart_svg(frey));
  LineChart terms{"The two terms of −ELBO", "epoch", "nats per image", {}, false, true};
  terms.series = {decay("reconstruction, training", 9, 183.6, 155.1, 0.8, true),
                  decay("reconstruction, validation", 9, 167.6, 156.2, 0.8, false),
                  decay("KL, training", 9, 7.1, 5.9, 0.6, true),
                  decay("KL, validation", 9, 4.7, 6.0, 0.6, false)};
  g.add("terms", line_chart_svg(terms));
  LineChart log{"A first epoch that dwarfs the rest", "epoch", "nats per image", {}, true, false};
  log.series = {decay("training", 30, 54321, 101, 1.5, true), decay("validation", 30, 8000, 103, 1.5, false)};
  g.add("loss-log", line_chart_svg(log));
  log.log_y = false;
  g.add("loss-linear", line_chart_svg(log));
  LineChart many{"Many lines & <a gap>", "step", "loss", {}, false, false};
  for (int i = 0; i < 7; ++i) {
    many.series.push_back(decay("", 40, 5 + i, 0.2 * i, 0.1, false));
    many.series.back().name = fmt::format("latent dimensions: {}", 1 << i);
    many.series.back().y[20] = NAN;
  }
  g.add("loss-many", line_chart_svg(many));
}

void draw_bars(const Gallery& g) {
  for (const int n : {2, 10, 20, 30, 100}) {
    BarChart bars{"KL divergence of each latent dimension", "latent dimension", "nats", {}, {}, {}, {}};
    for (int i = 0; i < n; ++i) {
      bars.names.push_back(std::to_string(i + 1));
      bars.values.push_back(i % 3 == 2 ? 0.004 : 2.7 - 2.0 * i / n);
    }
    if (n > 10) {
      bars.reference_line = 0.01;
      bars.reference_name = "active above 0.01";
    }
    g.add(fmt::format("kl-{}", n), bar_chart_svg(bars));
  }
  g.add("bars-named", bar_chart_svg({"Validation loss",
                                     "",
                                     "nats per image",
                                     {"keras-mnist", "default", "k-mnist", "gaussian faces", "convolution"},
                                     {165.3, 148.2, 170.4, -620.1, 141.0},
                                     150.0,
                                     "published"}));
}

void draw_scatter(const Gallery& g, const Vae& model, const Dataset& images) {
  const NoGradGuard no_grad;
  const Tensor x =
      gather_batch(images.examples, images.count(), {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  const std::vector<float> z = model.encode_mean(x).value().to_vector();
  ScatterPlot plot{
      "Latent means of 10,000 validation digits", "z1", "z2", {}, {}, {}, {}, "digit", {}, true, false};
  for (std::size_t i = 0; i < z.size(); i += 2) plot.x.push_back(z[i]), plot.y.push_back(z[i + 1]);
  plot.labels.assign(images.labels.begin(), images.labels.end());
  g.add("latent", scatter_svg(plot));
  plot.name_centres = true;
  g.add("latent-named", scatter_svg(plot));
  plot.name_centres = false;
  plot.labels.clear();
  plot.colour_label = "radius";
  for (std::size_t i = 0; i < plot.x.size(); ++i) plot.values.push_back(std::hypot(plot.x[i], plot.y[i]));
  g.add("latent-values", scatter_svg(plot));
  ScatterPlot few{"Few points", "z1", "z2", {}, {}, {}, {}, "", {}, false, false};
  for (int i = 0; i < 60; ++i)
    few.x.push_back(std::sin(7.f * i) * 90), few.y.push_back(std::cos(3.f * i) / 50);
  g.add("scatter-few", scatter_svg(few));
  few.labels.resize(60, 1), few.label_names = {"closed mouth", "smile"}, few.colour_label = "expression";
  for (int i = 0; i < 60; i += 3) few.labels[i] = i % 2 ? -1 : 0;
  g.add("scatter-classes", scatter_svg(few));
}

// n values that are evenly spaced in probability under N(0, 1), from probability `low` to 1 - `low`.
std::vector<float> quantiles(int n, double low) {
  const Grid grid{.kind = GridKind::quantile, .n = n, .low = low, .high = 1 - low};
  const std::vector<double> values = grid.across(0, 0);
  return {values.begin(), values.end()};
}

void draw_manifold(const Gallery& g, const Vae& model, const std::string& name,
                   const std::vector<float>& axis) {
  const NoGradGuard no_grad;
  const int n = static_cast<int>(axis.size());
  std::vector<float> z;
  for (int i = 0; i < n * n; ++i) z.push_back(axis[i % n]), z.push_back(axis[n - 1 - i / n]);
  const auto images = model.decode_mean(Tensor::from(z, {n * n, 2}, model.device())).value().to_vector();
  g.add(name, grid_svg({"Digits decoded from the latent plane",
                        "z1",
                        "z2",
                        io::image_grid(images, n * n, 28, 28, n),
                        {axis.begin(), axis.end()},
                        {axis.rbegin(), axis.rend()}}));
}

// Images that are higher than wide.
std::vector<float> face(float a, float b) {
  std::vector<float> pixels;
  for (int y = 0; y < 28; ++y)
    for (int x = 0; x < 20; ++x) {
      const float u = (x - 9.5f) / 9 - 0.3f * a, v = (y - 13.5f) / 13 - 0.2f * b;
      pixels.push_back(0.85f * std::exp(-u * u - v * v) -
                       0.4f * std::exp(-30 * (u * u + (v - .5f) * (v - .5f))));
    }
  return pixels;
}

io::Gray cell(std::span<const float> images, std::size_t i, int width, int height) {
  return io::image_grid(images.subspan(i * width * height, width * height), 1, width, height, 1);
}

void draw_grids_and_sheets(const Gallery& g, const Vae& model, const Dataset& images) {
  draw_manifold(g, model, "manifold-20", quantiles(20, 0.01));
  draw_manifold(g, model, "manifold-15", quantiles(15, 0.05));
  draw_manifold(g, model, "manifold-5", {-5, -2.5f, 0, 2.5f, 5});
  std::vector<float> faces;
  const std::vector<float> axis = quantiles(20, 0.01);
  for (int i = 0; i < 400; ++i)
    for (const float p : face(axis[i % 20], axis[i / 20])) faces.push_back(p);
  g.add("manifold-faces", grid_svg({"Faces decoded from the latent plane",
                                    "z1",
                                    "z2",
                                    io::image_grid(faces, 400, 20, 28, 20),
                                    {axis.begin(), axis.end()},
                                    {axis.rbegin(), axis.rend()}}));
  const NoGradGuard no_grad;
  const Tensor x = gather_batch(images.examples, 10, {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  const std::vector<float> originals = x.to_vector(), means = model.reconstruct(x).value().to_vector();
  LabelledSheet sheet{"Reconstructions", {{"original", {}, false}, {"mean", {}, false}}, {}};
  for (std::size_t i = 0; i < 10; ++i) {
    sheet.rows[0].images.push_back(cell(originals, i, 28, 28));
    sheet.rows[1].images.push_back(cell(means, i, 28, 28));
    sheet.column_names.push_back(std::to_string(images.labels[i]));
  }
  sheet.rows.push_back({"draw from the prior", sheet.rows[1].images, true});
  sheet.rows.push_back({"probabilities", sheet.rows[1].images, false});
  g.add("sheet", labelled_sheet_svg(sheet));
  LabelledSheet portraits{"A walk along z1, from −2.33 to 2.33", {{"face", {}, false}}, {}};
  for (const float z : quantiles(8, 0.01)) portraits.rows[0].images.push_back(cell(face(z, 0), 0, 20, 28));
  g.add("sheet-faces", labelled_sheet_svg(portraits));
}

void draw_models(const Gallery& g) {
  VaeOptions o;
  for (const auto& widths : {std::vector<std::int64_t>{}, {256}, {256, 128, 64}, {1024, 512, 256, 128, 64}}) {
    o.encoder_widths = widths;
    g.add(fmt::format("model-{}", widths.size()), model_graph_svg(model_graph(o, 28, 28)));
  }
  o.encoder_widths = {512, 256};
  o.decoder_widths = {200};
  o.latent = 20;
  o.features = 560;
  o.likelihood = gaussian_likelihood();
  o.activation = Activation::leaky_relu;
  ModelGraph graph = model_graph(
      o, 28, 20, {.beta = 0.5, .scale = PosteriorScale::softplus, .decoder_outputs = "mean, log variance"});
  graph.title = "A Gaussian VAE for Frey faces";
  g.add("model-gaussian", model_graph_svg(graph));
}

void draw_all(const Gallery& g, const char* model_file) {
  Vae model({}, Device::cpu());
  if (model_file) load_parameters(model_file, model.parameters());
  const char* data = std::getenv("GPUVAE_DATA_DIR");
  const Dataset digits = (data ? load_mnist(data) : procedural_mnist(1, 10000)).test;
  draw_curves(g);
  draw_bars(g);
  draw_scatter(g, model, digits);
  draw_grids_and_sheets(g, model, digits);
  draw_models(g);
}

}  // namespace
}  // namespace gpuvae::apps

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s FOLDER [MODEL]\n", argv[0]), 2;
  std::filesystem::create_directories(argv[1]);
  gpuvae::apps::draw_all({argv[1]}, argc > 2 ? argv[2] : nullptr);
}
