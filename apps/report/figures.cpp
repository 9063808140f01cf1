#include "apps/report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "apps/cli/text.h"
#include "apps/plot/axes.h"
#include "apps/plot/plot.h"
#include "apps/report/model_graph.h"
#include "apps/report/pca.h"
#include "src/io/file.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

Figure svg_figure(std::string file, std::string title, std::string caption, std::string svg,
                  bool wide = false) {
  return {std::move(file), {std::move(title), std::move(caption), std::move(svg), "", wide}};
}

GraphNotes notes_of(const RunConfig& c) {
  const DiagonalGaussianOptions& posterior = c.distributions.posterior;
  return {c.training.beta,      posterior.scale,
          posterior.noise_std,  c.training.pixel_mean,
          c.training.free_bits, named_likelihood(c.distributions.likelihood).decoder_outputs,
          c.training.objective, c.data.condition};
}

Figure curve_figure(const Session& s, const std::string& file, const std::string& title,
                    const std::string& y_label, double Losses::*term) {
  LineChart chart{title, "epoch", y_label, {}};
  Series training{"training", {}, {}}, validation{"validation", {}, {}};
  for (const EpochResult& r : s.history().epochs) {
    training.x.push_back(r.epoch);
    training.y.push_back(r.train.*term);
    validation.x.push_back(r.epoch);
    validation.y.push_back(r.validation.*term);
  }
  training.markers = validation.markers = training.x.size() <= 15;
  chart.series = {training};
  std::string caption = "Training: mean over the epoch, while the weights change";
  if (s.validation().count() > 0) {
    chart.series.push_back(validation);
    caption += "; validation: after the epoch";
  }
  return svg_figure(file, title, caption + ".", line_chart_svg(chart));
}

// The codes of more examples would make the pages large, and their points cover each other.
constexpr std::int64_t kMaxCodes = 100'000;

Dataset coded_images(const Session& s) { return s.images("validation", kMaxCodes); }

std::string codes_caption(const Session& s) {
  const std::string what =
      fmt::format("{} of {}", s.config().pictures.encode == "mean" ? "Means" : "Draws", posterior_name(s));
  const std::string things = s.has_pictures() ? "images" : "rows";
  if (is_film(s) && s.validation().count() > 0)
    return fmt::format("{} for all frames: {} of training, then {} of validation.", what,
                       count_text(s.train().count()), count_text(s.validation().count()));
  const std::int64_t all = s.images("validation").count(), shown = coded_images(s).count();
  return fmt::format("{} for {}{} {} {}.", what,
                     shown < all ? fmt::format("the first {} of ", count_text(shown)) : "", count_text(all),
                     s.validation().count() > 0 ? "validation" : "training", things);
}

Figure latent_figure(const Session& s, const std::vector<float>& codes) {
  const std::int64_t latent = s.config().model.latent;
  const std::vector<std::string> names = latent_names(s);
  ScatterPlot plot{"Latent space", names[0], latent > 1 ? names[1] : "", {}, {}, {}, {}, "", {}};
  std::vector<float> flat = codes;
  std::string caption = codes_caption(s);
  if (latent > 2) {
    const Pca pca = fit_pca(codes, latent);
    flat = pca.project(codes);
    plot.title += ", principal components";
    plot.x_label = fmt::format("PC 1 ({:.0f} % of the variance)", 100 * pca.variance_share[0]);
    plot.y_label = fmt::format("PC 2 ({:.0f} %)", 100 * pca.variance_share[1]);
    caption += fmt::format(" The two directions in which the {} dimensions vary most.", count_text(latent));
  }
  const std::size_t step = latent > 2 ? 2 : static_cast<std::size_t>(latent);
  for (std::size_t i = 0; i < flat.size(); i += step) {
    plot.x.push_back(flat[i]);
    plot.y.push_back(step > 1 ? flat[i + 1] : 0.0f);
  }
  CodeColours colours = code_colours(s);
  plot.labels = std::move(colours.labels);
  plot.values = std::move(colours.values);
  plot.label_names = s.class_names();
  plot.colour_label = colours.name;
  plot.equal_scale = plot.name_centres = true;
  return svg_figure("latent.svg", plot.title, caption, scatter_svg(plot));
}

// Many dimensions are sorted by their KL, which shows how many are in use.
Figure kl_figure(const Session& s, const Evaluation& e) {
  constexpr std::size_t kMaxNamed = 20;
  BarChart chart{"KL divergence per dimension", "latent dimension", "KL (nats)", {}, e.latent.kl, {}, ""};
  const std::size_t n = chart.values.size();
  std::string caption = fmt::format("Mean over {} {}; {} of {} dimensions are active.", count_text(e.images),
                                    s.has_pictures() ? "images" : "rows", e.latent.active_units, n);
  if (n > kMaxNamed) {
    std::sort(chart.values.begin(), chart.values.end(), std::greater<>());
    chart.x_label = "latent dimensions, sorted";
    caption += " The command eval lists them by dimension.";
  }
  for (std::size_t d = 0; d < n; ++d) chart.names.push_back(std::to_string(d + 1));
  return svg_figure("kl.svg", chart.title, caption, bar_chart_svg(chart), true);
}

Figure model_figure(const Session& s) {
  const auto parameters = s.model().parameter_count();
  ModelGraph graph =
      model_graph(s.model().options(), s.description().height, s.description().width, notes_of(s.config()));
  std::vector<Parameter> of_posterior;
  s.model().posterior().collect(of_posterior);
  for (const Parameter& p : of_posterior) graph.latent.parameters += p.variable.value().elements();
  std::vector<Parameter> of_prior;
  s.model().prior().collect(of_prior);
  for (const Parameter& p : of_prior) graph.kl.parameters += p.variable.value().elements();
  graph.likelihood.parameters = parameters - parameter_count(graph);  // a variance that all pixels share
  return svg_figure("model.svg", "Model", fmt::format("{} parameters.", count_text(parameters)),
                    model_graph_svg(graph), true);
}

// Two pictures share a row. With an odd number of them, the latent space gets a whole row, so that there is
// no gap.
void pair_up(std::vector<Figure>& figures) {
  const auto is_half = [](const Figure& f) { return !f.picture.title.empty() && !f.picture.wide; };
  if (std::count_if(figures.begin(), figures.end(), is_half) % 2 == 0) return;
  for (Figure& f : figures)
    if (f.file == "latent.svg") f.picture.wide = true;
}

}  // namespace

std::string figure_text(double number, int decimals) { return plot::number_text(number, decimals); }
std::string count_text(std::int64_t number) { return figure_text(static_cast<double>(number), 0); }

bool is_film(const Session& s) {
  return !s.program().order_name.empty() && s.config().data.path.empty() && !s.data_facts().labelled;
}

std::vector<std::string> latent_names(const Session& s) {
  std::vector<std::string> names = parts_of(s.config().pictures.latent_names, ',');
  for (auto d = static_cast<std::int64_t>(names.size()); d < s.config().model.latent; ++d)
    names.push_back(fmt::format("z{}", d + 1));
  names.resize(static_cast<std::size_t>(s.config().model.latent));
  return names;
}

std::string loss_name(const RunConfig& c) {
  if (c.training.pixel_mean) return "loss, not an ELBO";
  if (c.training.objective.is_importance_weighted())
    return "minus the objective: " + objective_text(c.training.objective);
  if (c.training.beta != 1) return fmt::format("reconstruction + {} KL", c.training.beta);
  return notes_of(c).is_elbo() ? "negative ELBO" : "reconstruction + KL";
}
std::string loss_unit(const Session& s) {
  return s.config().training.pixel_mean ? "nats, pixel mean" : s.has_pictures() ? "nats/image" : "nats/row";
}

std::vector<float> shown_codes(const Session& s) {
  if (!s.has_data()) return {};
  const bool sample = s.config().pictures.encode == "sample";
  std::vector<float> codes;
  if (is_film(s) && s.validation().count() > 0)
    codes = encode_all(s.model(), s.train(), s.evaluation(), sample).to_vector();
  const std::vector<float> last = encode_all(s.model(), coded_images(s), s.evaluation(), sample).to_vector();
  codes.insert(codes.end(), last.begin(), last.end());
  return codes;
}

CodeColours code_colours(const Session& s) {
  if (!s.has_data()) return {};
  constexpr int kMaxClasses = 100;  // more classes are coloured as a quantity
  const Dataset images = coded_images(s);
  CodeColours colours;
  if (!images.labels.empty() &&
      *std::max_element(images.labels.begin(), images.labels.end()) >= kMaxClasses) {
    colours.values.assign(images.labels.begin(), images.labels.end());
    colours.name = s.program().label_name;
  } else if (!images.labels.empty()) {
    colours.labels.assign(images.labels.begin(), images.labels.end());
    colours.name = s.program().label_name;
  } else if (is_film(s)) {
    const std::int64_t before = s.validation().count() > 0 ? s.train().count() : 0;
    colours.values.resize(static_cast<std::size_t>(before + images.count()));
    std::iota(colours.values.begin(), colours.values.end(), 1.0f);
    colours.name = s.program().order_name;
  }
  return colours;
}

std::vector<Figure> all_figures(const Session& s, const Evaluation& e, const std::vector<float>& codes) {
  std::vector<Figure> figures;
  if (!s.history().epochs.empty()) {
    const std::string loss = fmt::format("{} ({})", loss_name(s.config()), loss_unit(s));
    figures.push_back(curve_figure(s, "curves.svg", "Loss", loss, &Losses::loss));
    figures.push_back(curve_figure(s, "curves-kl.svg", "KL term",
                                   fmt::format("KL (nats/{})", s.has_pictures() ? "image" : "row"),
                                   &Losses::kl));
  }
  figures.push_back(latent_figure(s, codes));
  const bool pictures = s.has_pictures();
  if (pictures)
    for (Figure& f : manifold_figures(s, codes)) figures.push_back(std::move(f));
  pair_up(figures);
  if (e.latent.kl.size() > 2) figures.push_back(kl_figure(s, e));
  if (pictures)
    for (Figure& f : sheet_figures(s)) figures.push_back(std::move(f));
  figures.insert(figures.end() - (pictures ? 1 : 0), model_figure(s));  // the examples are last
  return figures;
}

// Pictures can be drawn again, so that they need not wait for the disk.
void write_figures(const std::filesystem::path& folder, const std::vector<Figure>& figures) {
  for (const Figure& f : figures) check_own_file(folder / f.file, "write");
  for (const Figure& f : figures)
    io::write_file(folder / f.file, f.picture.svg.empty() ? f.picture.png : f.picture.svg, io::Sync::no);
}

}  // namespace gpuvae::apps
