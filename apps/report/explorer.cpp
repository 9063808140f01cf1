#include "apps/report/explorer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/plot/palette.h"
#include "apps/report/html.h"
#include "apps/report/pages/pages.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOperation = "explorer";

using std::ssize;

void check_decoder(const ExplorerPage& page) {
  check(!page.decoder.empty(), kOperation, "expected at least one decoder layer, got none");
  std::int64_t inputs = ssize(page.sliders);
  for (std::size_t i = 0; i < page.decoder.size(); ++i) {
    const PageLayer& layer = page.decoder[i];
    check(layer.in == inputs, kOperation, "expected decoder layer {} to have {} inputs, got {}", i, inputs,
          layer.in);
    const std::int64_t rows = layer.gated ? 2 * layer.out : layer.out;
    check(layer.out > 0 && ssize(layer.weight) == layer.in * rows && ssize(layer.bias) == rows, kOperation,
          "expected decoder layer {} to have a weight [{}, {}] and a bias [{}], got {} and {} elements", i,
          rows, layer.in, rows, layer.weight.size(), layer.bias.size());
    inputs = layer.out;
  }
  if (!page.means.empty()) {
    std::int64_t outputs = 0, columns = 0;
    for (const PageMean& m : page.means) {
      outputs += m.outputs;
      columns += m.columns;
    }
    check(outputs == inputs, kOperation, "expected means of {} decoder outputs, got {}", inputs, outputs);
    inputs = columns;
  }
  check(page.class_names.size() == page.class_biases.size(), kOperation,
        "expected {} biases of classes, got {}", page.class_names.size(), page.class_biases.size());
  for (const std::vector<float>& bias : page.class_biases)
    check(bias.size() == page.decoder.front().bias.size(), kOperation,
          "expected biases of classes with {} elements, got {}", page.decoder.front().bias.size(),
          bias.size());
  for (const PageCondition& c : page.conditions)
    check(c.weight.size() == page.decoder.front().bias.size() && !page.class_biases.empty(), kOperation,
          "expected a bias and {} weights of the condition '{}', got {}", page.decoder.front().bias.size(),
          c.name, c.weight.size());
  check(page.height > 0 && page.width > 0 && inputs == std::int64_t{page.height} * page.width, kOperation,
        "expected a decoder with {} x {} outputs, got {}", page.height, page.width, inputs);
}

void check_sliders(const ExplorerPage& page) {
  check(!page.sliders.empty(), kOperation, "expected at least one slider, got none");
  for (const Slider& s : page.sliders)
    check(s.low < s.high && s.step > 0 && s.scale != 0 && std::isfinite(s.low) && std::isfinite(s.high) &&
              std::isfinite(s.step) && std::isfinite(s.scale),
          kOperation,
          "expected finite low < high, step > 0 and scale != 0 for slider '{}', got {}, {}, {}, {}", s.name,
          s.low, s.high, s.step, s.scale);
}

void check_data(const ExplorerPage& page) {
  const std::int64_t latent = ssize(page.sliders);
  check(ssize(page.points) % latent == 0, kOperation, "expected points [n, {}], got {} elements", latent,
        page.points.size());
  const std::int64_t count = ssize(page.points) / latent;
  check(page.labels.empty() || ssize(page.labels) == count, kOperation, "expected {} labels or none, got {}",
        count, page.labels.size());
  check(page.values.empty() || ssize(page.values) == count, kOperation, "expected {} values or none, got {}",
        count, page.values.size());
  check(page.values.empty() || page.labels.empty(), kOperation, "expected labels or values, got both");
  check(page.column_names.empty() || (page.height == 1 && ssize(page.column_names) == page.width), kOperation,
        "expected one name per column of a table of height 1, got {} names for {} x {}",
        page.column_names.size(), page.height, page.width);
  check(page.units.empty() || (page.height == 1 && ssize(page.units) == page.width), kOperation,
        "expected one unit per column of a table of height 1, got {} units for {} x {}", page.units.size(),
        page.height, page.width);
}

Json decoder_json(const ExplorerPage& page) {
  Json layers = Json::array();
  for (const PageLayer& layer : page.decoder)
    layers.push_back({{"activation", layer.continuous_bernoulli_mean ? "continuous_bernoulli_mean"
                                                                     : name(layer.activation)},
                      {"in", layer.in},
                      {"out", layer.out},
                      {"gated", layer.gated},
                      {"weight", base64(layer.weight)},
                      {"bias", base64(layer.bias)}});
  return layers;
}

Json means_json(const ExplorerPage& page) {
  Json means = Json::array();
  for (const PageMean& m : page.means)
    means.push_back(
        {{"function", m.function}, {"columns", m.columns}, {"outputs", m.outputs}, {"value", m.value}});
  return means;
}

Json sliders_json(const ExplorerPage& page) {
  Json sliders = Json::array();
  for (const Slider& s : page.sliders)
    sliders.push_back(
        {{"name", s.name}, {"low", s.low}, {"high", s.high}, {"step", s.step}, {"scale", s.scale}});
  return sliders;
}

Json conditions_json(const ExplorerPage& page) {
  Json conditions = Json::array();
  for (const PageCondition& c : page.conditions)
    conditions.push_back({{"name", c.name},
                          {"low", c.low},
                          {"high", c.high},
                          {"value", c.value},
                          {"scale", c.scale},
                          {"weight", base64(c.weight)}});
  return conditions;
}

Json units_json(const ExplorerPage& page) {
  Json units = Json::array();
  for (const PageUnit& u : page.units) units.push_back({u.scale, u.offset});
  return units;
}

Json columns_json(const ExplorerPage& page) {
  Json columns = page.column_names;
  if (page.height == 1 && page.column_names.empty())
    for (int i = 1; i <= page.width; ++i) columns.push_back(fmt::format("x{}", i));
  return columns;
}

// Adds the colours of the figures: one colour per class, and a ramp for quantities.
void add_colours(Json& data, const ExplorerPage& page) {
  constexpr int kStops = 9;
  data["colourLabel"] = page.colour_label;
  data["colours"] = data["ramp"] = Json::array();
  for (const Rgb c : kLabelColours) data["colours"].push_back(hex(c));
  for (int i = 0; i < kStops; ++i) data["ramp"].push_back(hex(sequential_colour(i / (kStops - 1.0))));
}

void add_points(Json& data, const ExplorerPage& page) {
  const std::int64_t latent = ssize(page.sliders), count = ssize(page.points) / latent;
  const std::int64_t stride = (count + kPagePoints - 1) / kPagePoints;
  std::vector<float> points;
  Json labels = Json::array();
  for (std::int64_t i = 0; i < count; i += stride) {
    points.insert(points.end(), page.points.begin() + i * latent, page.points.begin() + (i + 1) * latent);
    if (!page.labels.empty()) labels.push_back(page.labels[i]);
    if (!page.values.empty()) labels.push_back(page.values[i]);
  }
  data["points"] = base64(points);
  data["labels"] = labels;
  data["labelNames"] = page.label_names;
  data["isQuantity"] = !page.values.empty();
  add_colours(data, page);
}

// Returns the page's data as ASCII JSON. Every < is escaped, so that no string in the data can end the
// surrounding script element.
std::string script_json(const ExplorerPage& page) {
  Json data = {{"height", page.height}, {"width", page.width}, {"leakySlope", kLeakySlope}};
  data["isNormal"] = page.standard_normal_prior;
  data["decoder"] = decoder_json(page);
  data["means"] = means_json(page);
  data["classes"] = page.class_names;
  data["classBiases"] = Json::array();
  for (const std::vector<float>& bias : page.class_biases) data["classBiases"].push_back(base64(bias));
  data["conditions"] = conditions_json(page);
  data["sliders"] = sliders_json(page);
  data["columns"] = columns_json(page);
  data["units"] = units_json(page);
  data["unitNote"] = page.unit_note;
  add_points(data, page);
  std::string text = data.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");
  return text;
}

std::string body(const ExplorerPage& page) {
  check_sliders(page);
  check_decoder(page);
  check_data(page);
  std::string script;
  for (const std::string_view part :
       {pages::explorer_decoder_js, pages::explorer_view_js, pages::explorer_points_js,
        pages::explorer_manifold_js, pages::explorer_pad_js, pages::explorer_js})
    script += part;
  return filled(pages::explorer_html,
                {{"title", html_escaped(page.title)}, {"data", script_json(page)}, {"script", script}});
}

}  // namespace

std::string explorer_html(const ExplorerPage& page) {
  return html_page(page.title, page.subtitle, pages::explorer_css, body(page));
}

std::string explorer_fragment(const ExplorerPage& page) {
  std::string text = "<style>\n";
  text.append(pages::theme_css).append(pages::explorer_css).append("</style>\n").append(body(page));
  return text;
}

std::vector<Slider> sliders_around(const std::vector<float>& points, std::int64_t latent) {
  std::vector<float> sizes;
  for (const float z : points)
    if (std::isfinite(z)) sizes.push_back(std::abs(z));
  double end = 3;
  if (!sizes.empty()) {
    const auto rank = sizes.begin() + (ssize(sizes) - 1) * 199 / 200;
    std::ranges::nth_element(sizes, rank);
    end = std::max(end, std::ceil(2.0 * *rank) / 2);
  }
  std::vector<Slider> sliders;
  for (std::int64_t i = 1; i <= latent; ++i)
    sliders.push_back({.name = fmt::format("z{}", i), .low = -end, .high = end});
  return sliders;
}

}  // namespace gpuvae::apps
