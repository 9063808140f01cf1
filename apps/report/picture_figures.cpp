// The figures of a run that are made of images.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "apps/plot/plot.h"
#include "apps/report/figures.h"
#include "src/io/stb.h"

namespace gpuvae::apps {
namespace {

constexpr std::size_t kShown = 10;
constexpr std::size_t kMaxClassRows = 30;

Figure png_figure(std::string file, std::string title, std::string caption, const io::Gray& image) {
  return {std::move(file), {std::move(title), std::move(caption), "", io::encode_png(image), true}};
}
Figure sheet_figure(std::string file, const LabelledSheet& sheet, std::string caption) {
  return {std::move(file), {sheet.title, std::move(caption), labelled_sheet_svg(sheet), "", true}};
}

SheetRow sheet_row(const std::string& caption, const std::vector<float>& images, std::size_t count,
                   const Dataset& set) {
  const auto pixels = static_cast<std::size_t>(set.height) * static_cast<std::size_t>(set.width);
  SheetRow row{caption, {}};
  for (std::size_t i = 0; i < count; ++i)
    row.images.push_back(
        io::image_grid(std::span(images).subspan(i * pixels, pixels), 1, set.width, set.height, 1));
  return row;
}

// Images that fill a row: of each class in turn, sorted by class, or evenly spaced if there are no classes.
std::vector<std::int64_t> shown_indices(const Dataset& set) {
  const auto count = std::min<std::int64_t>(kShown, set.count());
  std::vector<std::int64_t> chosen;
  if (set.labels.empty()) {
    for (std::int64_t i = 0; i < count; ++i) chosen.push_back(i * set.count() / count);
    return chosen;
  }
  // Number of earlier images of the same class, class, index.
  std::vector<std::tuple<int, int, std::int64_t>> order;
  std::map<int, int> seen;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const int label = set.labels[static_cast<std::size_t>(i)];
    order.emplace_back(seen[label]++, label, i);
  }
  std::sort(order.begin(), order.end());
  order.resize(static_cast<std::size_t>(count));
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return std::get<1>(a) < std::get<1>(b); });
  for (const auto& entry : order) chosen.push_back(std::get<2>(entry));
  return chosen;
}

Dataset shown_images(const Dataset& set) {
  const std::vector<std::int64_t> chosen = shown_indices(set);
  Dataset shown = set.slice(0, static_cast<std::int64_t>(chosen.size()));
  shown.examples = set.select(chosen);
  shown.source = nullptr;
  return shown;
}

// p(x | z) leaves out how pixels depend on each other.
std::string noise_text(const Session& s) {
  return s.config().distributions.likelihood == "bernoulli"
             ? "each pixel is drawn independently as black or white, so that a draw is noisier than an "
               "original"
             : "each pixel is drawn independently around its mean, so that a draw is noisier than an "
               "original";
}

Figure posterior_figure(const Session& s) {
  const NoGradGuard no_grad;
  const Dataset set = shown_images(s.images("validation"));
  const Variable x = first_images(set, set.count(), s.evaluation().data);
  const auto count = static_cast<std::size_t>(set.count());
  LabelledSheet sheet{"Posterior predictive", {}, {}};
  sheet.rows = {
      sheet_row("original", s.model().features_of(x).value().to_vector(), count, set),
      sheet_row("mean", s.model().reconstruct(x).value().to_vector(), count, set),
      sheet_row("draw", s.model().posterior_predictive(x, s.config().seed).to_vector(), count, set)};
  return sheet_figure(
      "posterior.svg", sheet,
      fmt::format("{} images; the mean of {} at the mean of {}; a draw of z and then of x, where {}.",
                  s.validation().count() > 0 ? "Validation" : "Training", decoder_name(s), posterior_name(s),
                  noise_text(s)));
}

// Returns `count` classes, all in turn.
std::vector<int> classes_in_turn(const Session& s, std::size_t count) {
  const std::vector<int> classes = condition_classes(s);
  std::vector<int> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(classes[i % classes.size()]);
  return result;
}

// A row per class: the same draws of z in all rows.
Figure class_figure(const Session& s) {
  const Dataset set = s.images("validation", 1);
  const std::int64_t latent = s.config().model.latent;
  const Noise noise{.seed = s.config().seed, .purpose = RandomPurpose::prior};
  const std::vector<float> z =
      s.model().prior().sample(std::int64_t{kShown}, latent, noise, Device::cpu()).to_vector();
  const std::vector<std::string> names = condition_class_names(s);
  LabelledSheet sheet{"Classes", {}, {}};
  const std::vector<int> classes = condition_classes(s);
  for (std::size_t i = 0; i < std::min(classes.size(), kMaxClassRows); ++i) {
    const Tensor y = condition_rows(s, {classes[i]}, {}, "report");
    const std::string& name = names[static_cast<std::size_t>(classes[i])];
    sheet.rows.push_back(sheet_row(name, decode_all(s.model(), z, y), kShown, set));
  }
  return sheet_figure(
      "classes.svg", sheet,
      "Means of p(x | z, y): one class y per row, and the same z, drawn from the prior, in each "
      "column.");
}

Figure prior_figure(const Session& s) {
  const Dataset set = s.images("validation", 1);
  const Tensor y = condition_rows(s, classes_in_turn(s, kShown), {}, "report");
  const Vae::Generated g = s.model().sample_prior(kShown, s.config().seed, y);
  const bool bernoulli = s.config().distributions.likelihood == "bernoulli";
  LabelledSheet sheet{"Prior predictive", {}, {}};
  sheet.rows = {sheet_row(bernoulli ? "probability" : "mean", g.mean.to_vector(), kShown, set),
                sheet_row("draw", g.x.to_vector(), kShown, set)};
  return sheet_figure(
      "prior.svg", sheet,
      fmt::format("z drawn from the prior: {} of {}, and a draw of x, where {}.",
                  bernoulli ? "the probabilities" : "the mean", decoder_name(s), noise_text(s)));
}

std::string range_text(const Grid& grid, const std::vector<float>& codes, std::int64_t latent) {
  if (grid.kind == GridKind::quantile)
    return fmt::format("at the quantiles {} to {} of N(0, 1), evenly spaced in probability", grid.low,
                       grid.high);
  if (grid.kind == GridKind::linear)
    return fmt::format("evenly spaced from {} to {}", figure_text(grid.low, 2), figure_text(grid.high, 2));
  if (grid.per_axis)
    return fmt::format("evenly spaced between the quantiles {} and {} of the encoded data", grid.low,
                       grid.high);
  const CodeRange range = code_range(grid, codes, latent, 0);
  return fmt::format("evenly spaced over the range of the encoded data, {} to {}", figure_text(range.low, 2),
                     figure_text(range.high, 2));
}

std::string manifold_caption(const Session& s, const std::vector<std::string>& names,
                             const std::string& range) {
  const std::string what = fmt::format("Means of {}, {}", decoder_name(s), names[0]);
  if (names.size() == 1) return fmt::format("{} {}.", what, range);
  std::string text = fmt::format("{} and {} {}.", what, names[1], range);
  if (names.size() > 2)
    text += fmt::format(" The other {} dimension{} 0: a cut through the latent space, not all of it.",
                        names.size() - 2, names.size() == 3 ? " is" : "s are");
  return text;
}

}  // namespace

namespace {

// The manifold of --manifold with the condition of one class, if the model has any.
std::vector<Figure> manifold_of_class(const Session& s, const std::vector<float>& codes, int number,
                                      const GivenCondition& given) {
  std::vector<Figure> figures;
  const DataDescription& set = s.description();
  const std::vector<std::string> names = latent_names(s);
  const Tensor y = condition_rows(s, {number}, given, "manifold");
  const bool has_class = has_class_condition(s);
  const std::string class_title =
      has_class ? fmt::format(", class {}", condition_class_names(s)[static_cast<std::size_t>(number)]) : "";
  for (const Grid& grid : parse_grids(s.config().pictures.manifold)) {
    const GridImage g = decode_grid(s.model(), grid, codes, set.height, set.width, y);
    std::string file = figures.empty() ? "manifold" : fmt::format("manifold-{}", grid.name());
    if (has_class) file += fmt::format("-class{}", number);
    const std::string title = (grid.kind == GridKind::quantile ? "Manifold over quantiles"
                               : grid.kind == GridKind::data   ? "Manifold over the range of the data"
                                                               : "Manifold over a linear range") +
                              class_title;
    GridPlot plot{title, "", "", g.image, g.columns, g.rows};
    const std::string second = names.size() > 1 ? names[1] : "";
    plot.x_label = g.z1_across ? names[0] : second;
    plot.y_label = g.z1_across ? second : names[0];
    figures.push_back({file + ".png", {"", "", "", io::encode_png(g.image), false}});
    figures.push_back({file + ".svg",
                       {title, manifold_caption(s, names, range_text(grid, codes, s.config().model.latent)),
                        grid_svg(plot), "", false}});
  }
  return figures;
}

}  // namespace

std::vector<Figure> manifold_figures(const Session& s, const std::vector<float>& codes,
                                     const std::vector<int>& classes, const GivenCondition& given) {
  std::vector<Figure> figures;
  for (const int number : classes)
    for (Figure& f : manifold_of_class(s, codes, number, given)) figures.push_back(std::move(f));
  return figures;
}

std::vector<Figure> sheet_figures(const Session& s) {
  const PictureSettings& p = s.config().pictures;
  const Dataset set = s.images("validation");
  std::vector<Figure> figures = {posterior_figure(s), prior_figure(s)};
  if (has_class_condition(s)) figures.push_back(class_figure(s));
  const Tensor y = condition_rows(s, classes_in_turn(s, static_cast<std::size_t>(p.samples)), {}, "report");
  figures.push_back(png_figure("reconstructions.png", "Reconstructions",
                               "Originals, each above its reconstruction.",
                               reconstructions(s.model(), set, p.reconstructions, s.evaluation().data)));
  figures.push_back(png_figure(
      "samples.png", "Samples", fmt::format("Means of {}, z drawn from the prior.", decoder_name(s)),
      prior_samples(s.model(), p.samples, s.config().seed, set.height, set.width, y)));
  const auto shown = std::min<std::int64_t>(p.examples, s.train().count());
  figures.push_back(png_figure("examples.png", "Examples",
                               fmt::format("The first {} images of the training set.", count_text(shown)),
                               examples(s.train(), p.examples)));
  return figures;
}

}  // namespace gpuvae::apps
