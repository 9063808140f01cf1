// Builds the explorer page of a run from its decoder, its encoded data and the flag --sliders.
#include <fmt/format.h>

#include "apps/report/figures.h"
#include "src/vae/column_types.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

void add_layer(ExplorerPage& page, const Linear& layer, Activation activation) {
  const Shape shape = layer.weight.shape();
  page.decoder.push_back(
      {activation, shape[1], shape[0], layer.weight.value().to_vector(), layer.bias.value().to_vector()});
}

// The mean of `columns` columns of a type (see column_type_names).
PageMean mean_of(const std::string& type, std::int64_t columns, const DistributionSettings& d) {
  if (type == "library") return {"value", columns, 0, d.library_reference};
  if (type == "categorical") return {"softmax", columns, columns};
  if (type == "continuous-bernoulli") return {"continuous_bernoulli_mean", columns, columns};
  if (type == "zero-inflated-negative-binomial") return {"gated_exp", columns, 2 * columns};
  if (type == "poisson" || type == "negative-binomial") return {"exp", columns, columns};
  if (type == "bernoulli") return {"sigmoid", columns, columns};
  return {d.gaussian.sigmoid_mean ? "sigmoid" : "identity", columns, 2 * columns};
}

// Returns how the means of counts and of columns of several types follow from the decoder's outputs. The list
// is empty for other likelihoods, whose last layer has an activation that gives the mean.
std::vector<PageMean> page_means(const Session& s) {
  const DistributionSettings& d = s.config().distributions;
  if (named_likelihood(d.likelihood).is_count())
    return {mean_of(d.likelihood, s.model().options().features, d)};
  std::vector<PageMean> means;
  if (d.likelihood == "columns")
    for (const ColumnType& t : parse_column_types(d.column_types, "explore"))
      means.push_back(mean_of(t.type, t.columns, d));
  return means;
}

// Splits the first layer of a conditional model's decoder: its columns for the condition become a bias for
// each class.
void add_classes(ExplorerPage& page, const Session& s) {
  if (!is_conditional(s)) return;
  const std::int64_t latent = s.config().model.latent, conditions = s.model().options().conditions;
  PageLayer& first = page.decoder.front();
  const std::size_t rows = first.bias.size();
  const std::vector<int> classes = shown_classes(s, {}, "explore");
  const std::vector<float> y = condition_rows(s, classes, {}, "explore").to_vector();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    std::vector<float> bias = first.bias;
    for (std::size_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < conditions; ++i)
        bias[row] +=
            first.weight[row * static_cast<std::size_t>(first.in) + static_cast<std::size_t>(latent + i)] *
            y[c * static_cast<std::size_t>(conditions) + static_cast<std::size_t>(i)];
    page.class_biases.push_back(std::move(bias));
  }
  const std::vector<std::string> names = condition_class_names(s);
  for (const int number : classes)
    page.class_names.push_back(names.empty() ? "mean" : names[static_cast<std::size_t>(number)]);
  const std::vector<ConditionColumn> columns = condition_columns(s, "explore");
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const ConditionColumn& c = columns[k];
    if (!(c.low < c.high)) continue;
    PageCondition condition{c.name, c.low, c.high, c.mean, c.scale, {}};
    for (std::size_t row = 0; row < rows; ++row)
      condition.weight.push_back(
          first.weight[row * static_cast<std::size_t>(first.in) + static_cast<std::size_t>(latent) + k]);
    page.conditions.push_back(std::move(condition));
  }
  std::vector<float> weight;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto begin = first.weight.begin() + static_cast<std::ptrdiff_t>(row) * first.in;
    weight.insert(weight.end(), begin, begin + latent);
  }
  first.weight = std::move(weight);
  first.in = latent;
  first.bias = page.class_biases.front();
}

// Adds the last layer, with the activation that gives the means, unless page_means() says how they follow.
void add_output_of_means(ExplorerPage& page, const Session& s) {
  const DistributionSettings& d = s.config().distributions;
  const LikelihoodValues values = named_likelihood(d.likelihood).values;
  const bool has_location = values == LikelihoodValues::any_number || values == LikelihoodValues::bytes;
  const bool continuous = d.likelihood == "continuous-bernoulli";
  add_layer(
      page, s.model().output(),
      continuous || (has_location && !d.gaussian.sigmoid_mean) ? Activation::identity : Activation::sigmoid);
  // The last layer computes the means or logits of all features and then, for some likelihoods, their log
  // variances or log scales, which the page does not need.
  PageLayer& last = page.decoder.back();
  last.continuous_bernoulli_mean = continuous;
  last.out = s.model().options().features;
  last.weight.resize(static_cast<std::size_t>(last.in * last.out));
  last.bias.resize(static_cast<std::size_t>(last.out));
}

void add_decoder(ExplorerPage& page, const Session& s) {
  const Mlp& decoder = s.model().decoder();
  for (const Linear& layer : decoder.layers) {
    add_layer(page, layer, layer.activation);
    page.decoder.back().gated = decoder.gated;
    if (decoder.gated) page.decoder.back().out /= 2;
  }
  page.means = page_means(s);
  if (page.means.empty())
    add_output_of_means(page, s);
  else
    add_layer(page, s.model().output(), Activation::identity);
  add_classes(page, s);
}

void add_sliders(ExplorerPage& page, const RunConfig& c, const std::vector<std::string>& names) {
  page.sliders = sliders_around(page.points, c.model.latent);
  for (std::size_t d = 0; d < page.sliders.size(); ++d) {
    if (!c.pictures.sliders.empty()) {
      const SliderRange r = parse_sliders(c.pictures.sliders);
      page.sliders[d] = {names[d], r.low, r.high, r.step, r.scale};
    }
    page.sliders[d].name = names[d];
  }
}

// The numbers of a table are shown in the units of the data.
void add_units(ExplorerPage& page, const Session& s) {
  const DataDescription d = s.feature_description();
  const Standardization& by = d.standardization;
  const ValueRange& v = d.values;
  const auto width = static_cast<std::size_t>(d.width);
  std::string bars;
  if (!by.empty()) {
    for (std::size_t c = 0; c < width; ++c) page.units.push_back({by.stddev[c], by.mean[c]});
    bars = s.config().distributions.likelihood == "columns"
               ? "bars of standardised columns show standard deviations from the mean of the training data"
               : "bars show standard deviations from the mean of the training data";
  } else if (v.scaled) {
    page.units.assign(width, {v.high - v.low, v.low});
    bars = fmt::format("bars show them scaled from [{:.7g}, {:.7g}] to [0, 1]", v.low, v.high);
  } else if (v.kind == ValueKind::bytes) {
    page.units.assign(width, {255, 0});
    bars = "bars show them divided by 255";
  }
  page.unit_note = "Numbers are in the units of the data";
  page.unit_note += bars.empty() ? ", as are the bars." : "; " + bars + ".";
}

}  // namespace

ExplorerPage explorer_of(const Session& s, const std::vector<float>& codes) {
  ExplorerPage page;
  page.title = fmt::format("{}, preset {}", s.program().name, s.config().preset);
  page.subtitle = fmt::format("{}; {} parameters, seed {}", s.source(),
                              count_text(s.model().parameter_count()), s.config().seed);
  page.height = s.description().height;
  page.width = s.feature_description().width;
  page.standard_normal_prior = s.model().prior().is_standard_normal();
  if (!s.has_pictures()) {
    page.column_names = s.feature_description().column_names;
    add_units(page, s);
  }
  add_decoder(page, s);
  page.points = codes;
  CodeColours colours = code_colours(s);
  page.labels = std::move(colours.labels);
  page.values = std::move(colours.values);
  page.label_names = s.class_names();
  page.colour_label = colours.name;
  add_sliders(page, s.config(), latent_names(s));
  return page;
}

}  // namespace gpuvae::apps
