#include "apps/report/model_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "apps/plot/axes.h"
#include "src/data/counted.h"

namespace gpuvae::apps {
namespace {

using namespace plot;

struct Colours {
  const char *fill, *stroke;
};
constexpr Colours kData{"#f4f4f4", "#777"}, kEncoder{"#e3eefa", "#0b5fb0"}, kLatent{"#f3e8f8", "#8b2fa8"},
    kDecoder{"#fdeadf", "#c44a08"}, kLoss{"#fff", "#444"};

constexpr double kBoxHeight = 50, kRowGap = 28, kPitch = kBoxHeight + kRowGap, kColumnGap = 52;
constexpr double kInset = 10;  // between a box and its text

std::string grouped(std::int64_t number) { return number_text(static_cast<double>(number), 0); }

double box_width(const GraphLayer& layer) {
  double head = text_width(layer.name, kLarge, true);
  if (layer.parameters > 0) head += 18 + text_width(grouped(layer.parameters), kSmall);
  return std::max(head, text_width(layer.detail, kNormal)) + 2 * kInset;
}

void draw_box(Svg& svg, const Box& box, const GraphLayer& layer, const Colours& colours,
              bool dashed = false) {
  svg.rect(box, fmt::format("rx=\"6\" fill=\"{}\" stroke=\"{}\" stroke-width=\"1.3\"{}", colours.fill,
                            colours.stroke, dashed ? " stroke-dasharray=\"5 4\"" : ""));
  const bool one_line = layer.detail.empty();
  const double head = one_line ? middle(box.centre_y(), kLarge) : box.y + 20;
  const bool centred = layer.parameters == 0;
  const TextStyle name{.size = kLarge, .anchor = centred ? "middle" : "start", .bold = true};
  svg.text(centred ? box.centre_x() : box.x + kInset, head, layer.name, name);
  svg.text(centred ? box.centre_x() : box.x + kInset, box.y + 39, layer.detail, {.anchor = name.anchor});
  if (layer.parameters > 0)
    svg.text(box.right() - kInset, head, grouped(layer.parameters),
             {.size = kSmall, .anchor = "end", .colour = kSoftInk});
}

struct Point {
  double x, y;
};

// A line through the points, with an arrow's head at the last.
void draw_arrow(Svg& svg, const std::vector<Point>& points, bool dashed = false, bool has_head = true) {
  constexpr double kHead = 8, kHalf = 4;
  const Point end = points.back(), before = points[points.size() - 2];
  const double length = std::hypot(end.x - before.x, end.y - before.y);
  const Point along{(end.x - before.x) / length, (end.y - before.y) / length};
  const Point neck{end.x - kHead * along.x, end.y - kHead * along.y};
  std::string commands;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point at = has_head && i + 1 == points.size() ? neck : points[i];
    commands += fmt::format("{}{} {}", i == 0 ? "M" : "L", coordinate(at.x), coordinate(at.y));
  }
  const Box extent{end.x, end.y, 0, 0};  // boxes at both ends reach further
  const char* colour = dashed ? "#888" : "#444";
  svg.path(commands, extent,
           fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"1.4\"{}", colour,
                       dashed ? " stroke-dasharray=\"5 4\"" : ""));
  if (!has_head) return;
  svg.path(fmt::format("M{} {}L{} {}L{} {}z", coordinate(end.x), coordinate(end.y),
                       coordinate(neck.x - kHalf * along.y), coordinate(neck.y + kHalf * along.x),
                       coordinate(neck.x + kHalf * along.y), coordinate(neck.y - kHalf * along.x)),
           extent, fmt::format("fill=\"{}\"", colour));
}

double widest(const std::vector<GraphLayer>& layers) {
  double width = 0;
  for (const GraphLayer& layer : layers) width = std::max(width, box_width(layer));
  return width;
}

// Four columns: encoder, the two heads of the posterior, z, and decoder. Their last rows form a band
// at the bottom, in which data flow from left to right. A condition y stands at the outer side of the first
// layer of either network.
class Layout {
 public:
  explicit Layout(const ModelGraph& graph) : g_(graph) {
    left_.push_back(g_.input);
    left_.insert(left_.end(), g_.encoder.begin(), g_.encoder.end());
    right_ = {g_.likelihood, g_.output};
    right_.insert(right_.end(), g_.decoder.rbegin(), g_.decoder.rend());
    rows_ = static_cast<double>(std::max({left_.size(), right_.size(), std::size_t{4}}));
    const double side = std::max(widest(left_), widest(right_)), heads = widest({g_.mean, g_.scale});
    const double latent = widest({g_.latent, g_.noise});
    left_column_ = {0, 0, side, 0};
    head_column_ = {side + kColumnGap, 0, heads, 0};
    latent_column_ = {head_column_.right() + kColumnGap + 10, 0, latent, 0};
    right_column_ = {latent_column_.right() + kColumnGap, 0, side, 0};
    band_ = (rows_ - 1) * kPitch;
  }

  std::string draw() {
    const Box above = in(head_column_, band_ - kPitch / 2 + 4),
              below = in(head_column_, band_ + kPitch / 2 - 4);
    const Box z = in(latent_column_, band_), noise = in(latent_column_, band_ + kPitch + 8);
    draw_posterior_frame(above, below);
    const Box last_left = draw_side(left_, left_column_, kEncoder, false);
    const Box last_right = draw_side(right_, right_column_, kDecoder, true);
    draw_box(svg_, above, g_.mean, kLatent);
    draw_box(svg_, below, g_.scale, kLatent);
    draw_box(svg_, z, g_.latent, kLatent);
    draw_box(svg_, noise, g_.noise, kData);
    connect_band(last_left, last_right, above, below, z, noise);
    if (!g_.condition.name.empty()) draw_conditions(last_left, last_right);
    draw_losses(above);
    draw_total(noise);
    svg_.text(0, -30, g_.title, {.size = kTitle, .bold = true});
    return svg_.finish(g_.title, 20);
  }

 private:
  static Box in(const Box& column, double y) { return {column.x, y, column.width, kBoxHeight}; }

  // Draws the boxes from top to bottom at equal distances, and returns the last one, which is in the band if
  // it is a layer.
  Box draw_side(const std::vector<GraphLayer>& boxes, const Box& column, const Colours& colours,
                bool upwards) {
    const std::size_t outer = upwards ? 2 : 1;  // without a hidden layer nothing is in the band
    const double end = boxes.size() > outer ? band_ : band_ - 1.5 * kPitch;
    const double pitch = boxes.size() > 1 ? end / static_cast<double>(boxes.size() - 1) : 0;
    Box last;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      const Box box = in(column, static_cast<double>(i) * pitch);
      draw_box(svg_, box, boxes[i], i == 0 ? kData : colours);
      const double x = box.centre_x();
      if (i > 0 && upwards) draw_arrow(svg_, {{x, box.y}, {x, last.bottom() + 2}});
      if (i > 0 && !upwards) draw_arrow(svg_, {{x, last.bottom()}, {x, box.y - 2}});
      last = box;
    }
    return last;
  }

  void draw_posterior_frame(const Box& above, const Box& below) {
    frame_ = {above.x - 14, above.y - 30, above.width + 28, below.bottom() - above.y + 44};
    svg_.rect(frame_, "rx=\"10\" fill=\"none\" stroke=\"#8b2fa8\" stroke-dasharray=\"2 3\"");
    svg_.text(frame_.x + 12, frame_.y + 20, g_.condition.name.empty() ? "q(z | x)" : "q(z | x, y)",
              {.colour = "#6d2384"});
  }

  void connect_band(const Box& left, const Box& right, const Box& above, const Box& below, const Box& z,
                    const Box& noise) {
    const double y = band_ + kBoxHeight / 2, fork = frame_.x - 16;
    const Point from = left.y < band_ ? Point{left.centre_x(), left.bottom()} : Point{left.right(), y};
    const double join = (frame_.right() + z.x) / 2 - 4;
    draw_arrow(svg_, {from, {from.x, y}, {fork, y}}, false, false);
    draw_arrow(svg_, {{join, y}, {z.x - 2, y}});
    for (const Box& head : {above, below}) {
      draw_arrow(svg_, {{fork, y}, {fork, head.centre_y()}, {head.x - 2, head.centre_y()}});
      draw_arrow(svg_, {{head.right(), head.centre_y()}, {join, head.centre_y()}, {join, y}}, false, false);
    }
    draw_arrow(svg_, {{noise.centre_x(), noise.y}, {z.centre_x(), z.bottom() + 2}});
    if (right.y < band_)
      draw_arrow(svg_, {{z.right(), y}, {right.centre_x(), y}, {right.centre_x(), right.bottom() + 2}});
    else
      draw_arrow(svg_, {{z.right(), y}, {right.x - 2, y}});
  }

  // Without a hidden layer, y joins the line that carries x or z.
  void draw_conditions(const Box& last_left, const Box& last_right) {
    const double width = box_width(g_.condition), band = band_ + kBoxHeight / 2;
    const bool encodes = left_.size() > 1, decodes = right_.size() > 2;
    const double row = encodes ? last_left.y / static_cast<double>(left_.size() - 1) : band_;
    const Box left = in({left_column_.x - kColumnGap - width, 0, width, 0}, row),
              right = in({right_column_.right() + kColumnGap, 0, width, 0}, decodes ? last_right.y : band_);
    draw_box(svg_, left, g_.condition, kData);
    draw_box(svg_, right, g_.condition, kData);
    if (encodes)
      draw_arrow(svg_, {{left.right(), left.centre_y()}, {left_column_.x - 2, left.centre_y()}});
    else
      draw_arrow(svg_, {{left.right(), band}, {last_left.centre_x(), band}}, false, false);
    if (decodes)
      draw_arrow(svg_, {{right.x, right.centre_y()}, {right_column_.right() + 2, right.centre_y()}});
    else
      draw_arrow(svg_, {{right.x, band}, {last_right.centre_x(), band}}, false, false);
  }

  // The reconstruction term is drawn between x and p(x | z), which it compares, and the KL term over the
  // posterior.
  void draw_losses(const Box& above) {
    const double centre = (left_column_.right() + right_column_.x) / 2;
    const double width = box_width(g_.reconstruction), kl_width = box_width(g_.kl);
    const Box reconstruction{centre - width / 2, 0, width, kBoxHeight};
    draw_box(svg_, reconstruction, g_.reconstruction, kLoss, true);
    const double y = reconstruction.centre_y();
    draw_arrow(svg_, {{left_column_.right(), y}, {reconstruction.x - 2, y}}, true);
    draw_arrow(svg_, {{right_column_.x, y}, {reconstruction.right() + 2, y}}, true);
    svg_.text(centre, reconstruction.bottom() + 24, g_.loss, {.anchor = "middle", .colour = kSoftInk});
    const Box kl{std::max(above.centre_x() - kl_width / 2, left_column_.right() + 24),
                 frame_.y - 30 - kBoxHeight, kl_width, kBoxHeight};
    draw_box(svg_, kl, g_.kl, kLoss, true);
    draw_arrow(svg_, {{above.centre_x(), frame_.y}, {above.centre_x(), kl.bottom() + 2}}, true);
  }

  void draw_total(const Box& noise) {
    const double y = noise.centre_y();
    svg_.text(0, middle(y - 11, kLarge), fmt::format("{} parameters", grouped(parameter_count(g_))),
              {.size = kLarge, .bold = true});
    svg_.text(0, middle(y + 11, kNormal), "in all; the number of each layer is at its top right",
              {.colour = kSoftInk});
  }

  const ModelGraph& g_;
  std::vector<GraphLayer> left_, right_;  // from the top
  double rows_ = 0, band_ = 0;
  Box left_column_, head_column_, latent_column_, right_column_, frame_;
  Svg svg_;
};

std::string dense_text(std::int64_t in, const std::string& out, Activation activation) {
  std::string by(name(activation));
  std::replace(by.begin(), by.end(), '_', ' ');  // leaky relu
  if (activation == Activation::identity) return fmt::format("dense {} → {}", in, out);
  return fmt::format("dense {} → {}, {}", in, out, by);
}

std::vector<GraphLayer> hidden_layers(const char* prefix, std::int64_t in,
                                      const std::vector<std::int64_t>& widths, const VaeOptions& o) {
  std::vector<GraphLayer> layers;
  for (const std::int64_t out : widths) {
    const std::string text = o.gated ? fmt::format("gated dense {} → {}", in, out)
                                     : dense_text(in, fmt::format("{}", out), o.activation);
    layers.push_back({fmt::format("{}.{}", prefix, layers.size()), text, (o.gated ? 2 : 1) * (in + 1) * out});
    in = out;
  }
  return layers;
}

std::string scale_name(PosteriorScale scale) {
  switch (scale) {
    case PosteriorScale::log_variance:
      return "log variance, log σ²";
    case PosteriorScale::log_sigma:
      return "log σ";
    case PosteriorScale::softplus:
      return "scale s, σ = softplus(s)";
  }
  return "scale";
}

// The encoder's outputs beside the mean and the scale.
std::int64_t further_heads(const VaeOptions& o) {
  std::int64_t sum = -2 * o.latent;
  for (const std::int64_t size : o.posterior->head_sizes(o.latent)) sum += size;
  return sum;
}
bool is_full(const VaeOptions& o) { return o.posterior->name() == full_covariance_posterior()->name(); }
bool is_flow(const VaeOptions& o) { return further_heads(o) > 0 && !is_full(o); }
// The number of elements below the diagonal of a full covariance matrix, or 0.
std::int64_t below_diagonal(const VaeOptions& o) { return is_full(o) ? further_heads(o) : 0; }

// Cuts a list at a comma so that it has at most `most` characters.
std::string shortened_list(const std::string& list, std::size_t most) {
  if (list.size() <= most) return list;
  const std::size_t comma = list.rfind(", ", most);
  return list.substr(0, comma == std::string::npos ? most : comma) + ", …";
}

// "dose, label" for "dose,label".
std::string spaced_list(const std::string& list) {
  std::string text;
  for (const char c : list) text += c == ',' ? std::string(", ") : std::string(1, c);
  return text;
}

// The family of p(x | z). The columns of a product of likelihoods are counted by type, as they may be many.
std::string family_text(const Likelihood& likelihood, const char* element) {
  constexpr std::string_view kProduct = "product of ";
  std::string family = likelihood.name();
  if (!family.empty() && !family.starts_with(kProduct)) {
    family[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(family[0])));
    return fmt::format("{} for each {}", family, element);
  }
  std::vector<std::pair<std::string, std::int64_t>> types;
  for (std::size_t begin = kProduct.size(); begin < family.size();) {
    const std::size_t end = std::min(family.find(", ", begin), family.size());
    const std::string item = family.substr(begin, end - begin);
    const std::size_t bracket = item.rfind(" (");
    const std::string type = item.substr(0, bracket);
    const std::int64_t columns = bracket == std::string::npos ? 1 : std::atoll(item.c_str() + bracket + 2);
    const auto found = std::ranges::find(types, type, [](const auto& t) { return t.first; });
    if (found == types.end())
      types.emplace_back(type, columns);
    else
      found->second += columns;
    begin = end + 2;
  }
  std::string text;
  for (const auto& [type, columns] : types)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", type, columns);
  constexpr std::size_t kLongestName = 44;
  return shortened_list(text, kLongestName);
}

}  // namespace

ModelGraph model_graph(const VaeOptions& o, int height, int width, const GraphNotes& notes) {
  const double beta = notes.beta;
  std::vector<std::int64_t> decoder = o.decoder_widths;
  if (decoder.empty()) decoder.assign(o.encoder_widths.rbegin(), o.encoder_widths.rend());
  const std::int64_t inputs = o.features + o.conditions, codes = o.latent + o.conditions;
  const std::int64_t encoded = o.encoder_widths.empty() ? inputs : o.encoder_widths.back();
  const std::int64_t decoded = decoder.empty() ? codes : decoder.back();
  const bool conditional = o.conditions > 0;
  const std::string posterior = conditional ? "q(z | x, y)" : "q(z | x)",
                    likelihood = conditional ? "p(x | z, y)" : "p(x | z)";
  const int per_feature = o.likelihood->params_per_feature();
  const std::string head = dense_text(encoded, fmt::format("{}", o.latent), Activation::identity);
  const std::int64_t all_outputs = o.likelihood->outputs(o.features);
  const std::string outputs = all_outputs != per_feature * o.features ? fmt::format("{}", all_outputs)
                              : per_feature == 1                      ? fmt::format("{}", o.features)
                                                 : fmt::format("{} × {}", per_feature, o.features);
  ModelGraph g;
  g.input = {"x",
             height > 1 ? fmt::format("{} pixels ({} × {})", o.features, height, width)
                        : counted(o.features, "column"),
             0};
  if (conditional) {
    constexpr std::size_t kLongestLabel = 24;
    const std::string what = shortened_list(spaced_list(notes.condition), kLongestLabel),
                      size = counted(o.conditions, "value");
    g.condition = {"y", what.empty() ? size : fmt::format("{}: {}", what, size), 0};
  }
  g.encoder = hidden_layers("encoder", inputs, o.encoder_widths, o);
  g.mean = {"mean μ", head, (encoded + 1) * o.latent};
  g.scale = {scale_name(notes.scale), head, (encoded + 1) * o.latent};
  g.latent = {"z = μ + σ ε", counted(o.latent, "latent dimension"), 0};
  if (is_flow(o)) g.latent = {"z = flow(μ + σ ε)", o.posterior->name(), further_heads(o) * (encoded + 1)};
  if (const std::int64_t below = below_diagonal(o)) {
    g.scale = {"L, log diagonal", head, g.scale.parameters};
    g.latent = {"z = μ + L ε", fmt::format("{} numbers below the diagonal", below), below * (encoded + 1)};
  }
  g.noise = {notes.noise_std == 1 ? "ε ~ N(0, I)" : fmt::format("ε ~ N(0, {}² I)", notes.noise_std), "noise",
             0};
  g.decoder = hidden_layers("decoder", codes, decoder, o);
  g.output = {notes.decoder_outputs, dense_text(decoded, outputs, Activation::identity),
              (decoded + 1) * all_outputs};
  g.likelihood = {likelihood, family_text(*o.likelihood, height > 1 ? "pixel" : "column"), 0};
  g.reconstruction = {"reconstruction",
                      notes.pixel_mean
                          ? fmt::format("−log {}, mean of {}", likelihood, height > 1 ? "pixels" : "columns")
                          : "−log " + likelihood,
                      0};
  g.loss = beta == 1 ? "loss = reconstruction + KL" : fmt::format("loss = reconstruction + {} · KL", beta);
  if (notes.objective.is_importance_weighted()) {
    g.loss = fmt::format("loss = −objective: {}", objective_text(notes.objective));
    if (beta != 1) g.loss += fmt::format(", KL weight {}", beta);
  }
  if (notes.free_bits > 0) g.loss += fmt::format(", at least {} nats per dimension", notes.free_bits);
  g.loss += notes.is_elbo() ? " = −ELBO" : notes.pixel_mean ? " (not an ELBO)" : "";
  const std::string prior = o.prior->is_standard_normal() ? "N(0, I)" : "p(z)";
  g.kl = {beta == 1 ? "KL" : fmt::format("{} · KL", beta),
          fmt::format("KL({} ‖ {}){}", posterior, prior, o.prior->is_standard_normal() ? "" : ", learned p"),
          0};
  return g;
}

std::int64_t parameter_count(const ModelGraph& g) {
  std::int64_t count = g.mean.parameters + g.scale.parameters + g.latent.parameters + g.output.parameters +
                       g.likelihood.parameters + g.kl.parameters;
  for (const auto* layers : {&g.encoder, &g.decoder})
    for (const GraphLayer& layer : *layers) count += layer.parameters;
  return count;
}

std::string model_graph_svg(const ModelGraph& graph) { return Layout(graph).draw(); }

}  // namespace gpuvae::apps
