#include "apps/common/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/common/pca.h"
#include "apps/common/plot.h"
#include "apps/common/plot/model_graph.h"
#include "src/io/file.h"
#include "src/io/stb.h"

namespace gpuvae::apps {
namespace {

Figure svg_figure(std::string file, std::string title, std::string caption, std::string svg,
                  bool wide = false) {
  return {std::move(file), {std::move(title), std::move(caption), std::move(svg), "", wide}};
}
Figure png_figure(std::string file, std::string title, std::string caption, const io::Gray& image,
                  bool wide = false) {
  return {std::move(file), {std::move(title), std::move(caption), "", io::encode_png(image), wide}};
}

std::vector<std::string> latent_names(const Session& s) {
  std::vector<std::string> names;
  std::istringstream in(s.config().latent_names);
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  for (auto d = static_cast<std::int64_t>(names.size()); d < s.config().latent; ++d)
    names.push_back(fmt::format("z{}", d + 1));
  names.resize(static_cast<std::size_t>(s.config().latent));
  return names;
}

std::string loss_name(const Session& s) {
  if (s.config().pixel_mean) return "loss (pixel mean, not an ELBO)";
  return s.config().beta == 1 ? "negative ELBO" : fmt::format("reconstruction + {} KL", s.config().beta);
}

Figure curve_figure(const Session& s, const std::string& file, const std::string& title, const std::string& y,
                    double Losses::*term) {
  LineChart chart{title, "epoch", fmt::format("{} ({})", y, s.unit()), {}};
  Series training{"training", {}, {}}, validation{"validation", {}, {}};
  for (const EpochResult& r : s.history().epochs) {
    training.x.push_back(r.epoch), training.y.push_back(r.train.*term);
    validation.x.push_back(r.epoch), validation.y.push_back(r.validation.*term);
  }
  training.markers = validation.markers = training.x.size() <= 15;
  chart.series = {training};
  if (s.validation().count() > 0) chart.series.push_back(validation);
  return svg_figure(file, title,
                    "Training: while learning, with the weights of the moment; validation: after the epoch.",
                    line_chart_svg(chart));
}

// Colours of the scatter: the class, or the time of frames that follow each other.
void colour(const Session& s, const ImageSet& images, ScatterPlot& plot) {
  if (!images.labels.empty()) {
    plot.labels.assign(images.labels.begin(), images.labels.end());
    plot.colour_label = s.program().label_name;
    plot.name_centres = true;
  } else if (!s.program().order_name.empty() && s.config().data.empty()) {
    for (std::int64_t i = 0; i < images.count(); ++i) plot.values.push_back(static_cast<float>(i));
    plot.colour_label = s.program().order_name;
  }
}

Figure latent_figure(const Session& s, const std::vector<float>& codes) {
  const ImageSet images = s.images("validation");
  const std::int64_t latent = s.config().latent;
  const std::vector<std::string> names = latent_names(s);
  ScatterPlot plot{"Latent space", names[0], latent > 1 ? names[1] : "", {}, {}, {}, {}, "", {}};
  std::vector<float> flat = codes;
  if (latent > 2) {
    const Pca pca = fit_pca(codes, latent);
    flat = pca.project(codes);
    plot.title += " (principal components)";
    plot.x_label = fmt::format("PC 1 ({:.0f} % of the variance)", 100 * pca.variance_share[0]);
    plot.y_label = fmt::format("PC 2 ({:.0f} %)", 100 * pca.variance_share[1]);
  }
  const std::size_t step = latent > 2 ? 2 : static_cast<std::size_t>(latent);
  for (std::size_t i = 0; i < flat.size(); i += step) {
    plot.x.push_back(flat[i]);
    plot.y.push_back(step > 1 ? flat[i + 1] : 0.0f);
  }
  plot.equal_scale = true;
  colour(s, images, plot);
  return svg_figure(
      "latent.svg", plot.title,
      fmt::format("{} of q(z | x) for {} validation {}.", s.config().encode == "mean" ? "Means" : "Draws",
                  images.count(), s.has_pictures() ? "images" : "rows"),
      scatter_svg(plot));
}

Figure kl_figure(const Evaluation& e) {
  BarChart chart{"KL divergence per dimension", "latent dimension", "KL (nats)", {}, e.latent.kl, {}, ""};
  for (std::size_t d = 0; d < e.latent.kl.size(); ++d) chart.names.push_back(std::to_string(d + 1));
  return svg_figure("kl.svg", chart.title,
                    fmt::format("Mean over {} images; {} of {} dimensions are active.", e.images,
                                e.latent.active_units, e.latent.kl.size()),
                    bar_chart_svg(chart), true);
}

io::Gray picture(const std::vector<float>& images, std::size_t i, const ImageSet& set) {
  const auto pixels = static_cast<std::size_t>(set.pixels());
  return io::image_grid(std::span(images).subspan(i * pixels, pixels), 1, set.width, set.height, 1);
}

SheetRow sheet_row(const std::string& caption, const std::vector<float>& images, std::size_t count,
                   const ImageSet& set) {
  SheetRow row{caption, {}};
  for (std::size_t i = 0; i < count; ++i) row.images.push_back(picture(images, i, set));
  return row;
}

constexpr std::size_t kShown = 10;

// One image of each class where there are classes, else images evenly spaced.
ImageSet shown_images(const ImageSet& set) {
  const auto count = std::min<std::int64_t>(kShown, set.count());
  std::vector<std::int64_t> chosen;
  for (int label = 0; label < 10 && !set.labels.empty(); ++label) {
    const auto found = std::find(set.labels.begin(), set.labels.end(), label);
    if (found != set.labels.end()) chosen.push_back(found - set.labels.begin());
  }
  if (chosen.empty())
    for (std::int64_t i = 0; i < count; ++i) chosen.push_back(i * set.count() / count);
  ImageSet shown = set.slice(0, static_cast<std::int64_t>(chosen.size()));
  shown.images = Tensor::empty(shown.images.shape(), set.images.dtype(), set.images.device());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    shown.images.slice(at, 1).copy_from(set.images.slice(chosen[i], 1));
  }
  return shown;
}

Figure posterior_figure(const Session& s) {
  const NoGradGuard no_grad;
  const ImageSet set = shown_images(s.images("validation"));
  const Variable x = first_images(set, set.count(), s.evaluation().data);
  const auto count = static_cast<std::size_t>(set.count());
  LabelledSheet sheet{"Posterior predictive", {}, {}};
  sheet.rows = {
      sheet_row("original", x.value().to_vector(), count, set),
      sheet_row("mean", s.model().reconstruct(x).value().to_vector(), count, set),
      sheet_row("draw", s.model().posterior_predictive(x, s.config().seed).to_vector(), count, set)};
  return svg_figure("posterior.svg", sheet.title,
                    "Originals, the mean of p(x | z) at the posterior's mean, and a draw of z and x.",
                    labelled_sheet_svg(sheet), true);
}

Figure prior_figure(const Session& s) {
  const ImageSet set = s.images("validation", 1);
  const Vae::Generated g = s.model().sample_prior(kShown, s.config().seed);
  const bool bernoulli = s.config().likelihood == "bernoulli";
  LabelledSheet sheet{"Prior predictive", {}, {}};
  sheet.rows = {sheet_row("draw", g.x.to_vector(), kShown, set),
                sheet_row(bernoulli ? "probability" : "mean", g.mean.to_vector(), kShown, set)};
  return svg_figure("prior.svg", sheet.title,
                    bernoulli ? "z from the prior: a draw of the pixels, and their probabilities."
                              : "z from the prior: a draw of the pixels, and their mean.",
                    labelled_sheet_svg(sheet), true);
}

}  // namespace

std::vector<float> shown_codes(const Session& s) {
  return encode_all(s.model(), s.images("validation"), s.evaluation(), s.config().encode == "sample")
      .to_vector();
}

std::vector<Figure> manifold_figures(const Session& s, const std::vector<float>& codes) {
  std::vector<Figure> figures;
  const ImageSet& set = s.train();
  const std::vector<std::string> names = latent_names(s);
  double least = -3, most = 3;
  if (!codes.empty()) {
    const auto [low, high] = std::minmax_element(codes.begin(), codes.end());
    least = *low, most = *high;
  }
  for (const Grid& grid : parse_grids(s.config().manifold)) {
    const GridImage g = decode_grid(s.model(), grid, least, most, set.height, set.width);
    const std::string file = figures.empty() ? "manifold" : fmt::format("manifold-{}", grid.name());
    const std::string spacing = grid.kind == GridKind::quantile ? "quantiles of the prior"
                                : grid.kind == GridKind::data   ? "the range of the encoded data"
                                                                : "a linear range";
    GridPlot plot{fmt::format("Decoded grid over {}", spacing), "", "", g.image, g.columns, g.rows};
    const std::string second = names.size() > 1 ? names[1] : "";
    plot.x_label = g.z1_across ? names[0] : second, plot.y_label = g.z1_across ? second : names[0];
    figures.push_back(png_figure(file + ".png", "", "", g.image));
    figures.push_back(svg_figure(file + ".svg", plot.title,
                                 names.size() > 2 ? "The other dimensions are 0." : "The mean of p(x | z).",
                                 grid_svg(plot)));
  }
  return figures;
}

std::vector<Figure> all_figures(const Session& s, const Evaluation& e, const std::vector<float>& codes) {
  std::vector<Figure> figures;
  const RunConfig& c = s.config();
  if (!s.history().epochs.empty()) {
    figures.push_back(curve_figure(s, "curves.svg", "Loss", loss_name(s), &Losses::loss));
    figures.push_back(curve_figure(s, "curves-kl.svg", "KL term", "KL", &Losses::kl));
  }
  figures.push_back(latent_figure(s, codes));
  if (e.latent.kl.size() > 2) figures.push_back(kl_figure(e));
  figures.push_back(
      svg_figure("model.svg", "Model", fmt::format("{} parameters.", s.model().parameter_count()),
                 model_graph_svg(model_graph(s.model().options(), s.train().height, s.train().width,
                                             {c.beta, c.posterior_scale, c.noise_std})),
                 true));
  if (!s.has_pictures()) return figures;

  for (Figure& f : manifold_figures(s, codes)) figures.push_back(std::move(f));
  const ImageSet set = s.images("validation");
  figures.push_back(posterior_figure(s));
  figures.push_back(prior_figure(s));
  figures.push_back(png_figure("reconstructions.png", "Reconstructions", "Originals above reconstructions.",
                               reconstructions(s.model(), set, c.reconstructions, s.evaluation().data),
                               true));
  figures.push_back(png_figure("samples.png", "Samples", "Means of p(x | z), z from the prior.",
                               prior_samples(s.model(), c.samples, c.seed, set.height, set.width)));
  constexpr int kExampleColumns = 25;
  figures.push_back(png_figure("examples.png", "Examples", "The first images of the training set.",
                               examples(s.train(), c.examples, kExampleColumns), true));
  return figures;
}

ExplorerPage explorer_of(const Session& s, const std::vector<float>& codes) {
  const RunConfig& c = s.config();
  const Vae& model = s.model();
  ExplorerPage page;
  page.title = fmt::format("{}, preset {}", s.program().name, c.preset);
  page.subtitle = fmt::format("{}; {} parameters, seed {}", s.source(), s.model().parameter_count(), c.seed);
  page.height = s.train().height, page.width = s.train().width;
  const auto add = [&](const Linear& layer, Activation activation) {
    const Shape shape = layer.weight.shape();
    page.decoder.push_back(
        {activation, shape[1], shape[0], layer.weight.value().to_vector(), layer.bias.value().to_vector()});
  };
  for (const Linear& layer : model.decoder().layers) add(layer, layer.activation);
  const bool gaussian = c.likelihood.rfind("gaussian", 0) == 0;
  const bool continuous = c.likelihood == "continuous-bernoulli";
  add(model.output(),
      continuous || (gaussian && c.gaussian_mean == "identity") ? Activation::identity : Activation::sigmoid);
  page.decoder.back().continuous_bernoulli_mean = continuous;
  PageLayer& last = page.decoder.back();  // of a Gaussian's parameters only the mean is shown
  last.out = s.train().pixels();
  last.weight.resize(static_cast<std::size_t>(last.in * last.out));
  last.bias.resize(static_cast<std::size_t>(last.out));

  page.points = codes;
  const ImageSet set = s.images("validation");
  page.labels.assign(set.labels.begin(), set.labels.end());
  page.sliders = sliders_around(codes, c.latent);
  const std::vector<std::string> names = latent_names(s);
  for (std::size_t d = 0; d < page.sliders.size(); ++d) {
    if (!c.sliders.empty()) {
      const SliderRange r = parse_sliders(c.sliders);
      page.sliders[d] = {names[d], r.low, r.high, r.step, r.scale};
    }
    page.sliders[d].name = names[d];
  }
  return page;
}

void write_figures(const std::filesystem::path& folder, const std::vector<Figure>& figures) {
  for (const Figure& f : figures)
    io::write_file(folder / f.file, f.picture.svg.empty() ? f.picture.png : f.picture.svg);
}

}  // namespace gpuvae::apps
