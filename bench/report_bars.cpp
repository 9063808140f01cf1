// The report's figures of ratios: a bar per ratio, with the 95 % interval of its median as a whisker.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/plot/palette.h"
#include "bench/report_figures.h"

namespace gpuvae::bench {
namespace {

using namespace apps;
using namespace apps::plot;

constexpr double kBar = 15, kRow = 46, kWidth = 420;
const std::string kOursColour = hex(kLineColours[0]), kOtherColour = "#b9b9b9";

// A row of a figure. Its bars have the lengths of `values`, in units of the axis.
struct Row {
  std::string name, detail, result, result_detail;
  std::vector<std::pair<double, std::string>> bars;  // length and colour
  std::optional<Interval> interval;                  // of the first bar
};

struct Figure {
  std::string title, subtitle, x_label;
  std::vector<std::pair<std::string, std::string>> legend;
  std::vector<Row> rows;
  std::optional<double> reference = {};
  std::string reference_name = {};
};

void draw_interval(Svg& svg, const Scale& x, double y, const Interval& interval) {
  constexpr double kCap = 4;
  const std::string ink = fmt::format("stroke=\"{}\" stroke-width=\"1.5\"", kInk);
  const double low = x(interval.low), high = x(std::min(interval.high, x.values.high));
  svg.line(low, y, high, y, ink);
  svg.line(low, y - kCap, low, y + kCap, ink);
  if (interval.high <= x.values.high) svg.line(high, y - kCap, high, y + kCap, ink);
}

void draw_row(Svg& svg, const Scale& x, double top, const Row& row) {
  const double thickness = 2 * kBar / static_cast<double>(row.bars.size());
  double y = top + (kRow - 2 * kBar) / 2;
  const double text_y = y + kBar - 2, right = x(x.values.high) + 12;
  for (const auto& [length, colour] : row.bars) {
    svg.rect({0, y, x(length), thickness}, filled(colour));
    if (row.interval && &length == &row.bars.front().first)
      draw_interval(svg, x, y + thickness / 2, *row.interval);
    y += thickness;
  }
  svg.text(-12, text_y, row.name, {.size = kLarge, .anchor = "end"});
  svg.text(-12, text_y + 16, row.detail, {.size = kSmall, .anchor = "end", .colour = kSoftInk});
  svg.text(right, text_y, row.result, {.size = kLarge, .bold = true});
  svg.text(right, text_y + 16, row.result_detail, {.size = kSmall, .colour = kSoftInk});
}

std::string draw(const Figure& figure) {
  if (figure.rows.empty()) return "";
  double most = figure.reference.value_or(1);
  for (const Row& row : figure.rows) {
    for (const auto& bar : row.bars) most = std::max(most, bar.first);
    // The ends of wide intervals would shorten all bars.
    if (row.interval) most = std::max(most, std::min(row.interval->high, 1.25 * row.bars.front().first));
  }
  const Box area{0, 0, kWidth, kRow * static_cast<double>(figure.rows.size())};
  const Scale x{{0, 1.04 * most}, 0, kWidth};
  Svg svg;
  draw_x_axis(svg, area, x, nice_ticks(0, x.values.high, 7), figure.x_label);
  for (std::size_t i = 0; i < figure.rows.size(); ++i)
    draw_row(svg, x, kRow * static_cast<double>(i), figure.rows[i]);
  if (figure.reference) {
    const std::string colour = hex(kLineColours[1]);
    const double at = x(*figure.reference);
    svg.line(at, 0, at, area.bottom(),
             fmt::format("stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"", colour));
    svg.text(at, -4, figure.reference_name,
             {.size = kSmall, .anchor = "middle", .halo = true, .colour = colour});
  }
  const double legend_y = figure.reference ? -26 : -16;
  draw_legend(svg, 0, legend_y, figure.legend);
  svg.text(0, legend_y - 24, figure.subtitle, {.colour = kSoftInk});
  svg.text(0, legend_y - 46, figure.title, {.size = kTitle, .bold = true});
  return svg.finish(figure.title);
}

// Names a verdict that is not "faster", so that nobody reads a ratio of noise as a result.
std::string result_text(double ratio, const std::string& verdict) {
  if (verdict.empty() || verdict == "faster") return ratio_text(ratio) + "\u00d7";
  return fmt::format("{} ({}\u00d7)", verdict, ratio_text(ratio));
}

std::string interval_text(const std::optional<Interval>& i) {
  return i ? fmt::format("{}\u2013{}", ratio_text(i->low), ratio_text(i->high)) : "no interval";
}

// Bars of undecided comparisons are pale.
std::string ours_colour(const std::string& verdict) {
  return verdict == "undecided" ? "#a9c6e2" : kOursColour;
}
std::string other_colour(const std::string& verdict) {
  return verdict == "undecided" ? "#dedede" : kOtherColour;
}

Row bar_of(const Operation& o) {
  Row row{.name = spoken(o),
          .detail = fmt::format("{}, {}", spoken_size(o), o.pass),
          .result = result_text(*o.speedup, o.verdict),
          .result_detail = fmt::format("{} instead of {}; {}", time_text(o.seconds), time_text(*o.unfused),
                                       interval_text(o.interval)),
          .bars = {{1 / *o.speedup, ours_colour(o.verdict)}, {1, kOtherColour}},
          .interval = {}};
  if (o.interval) row.interval = Interval{1 / o.interval->high, 1 / o.interval->low};
  return row;
}

std::optional<Interval> interval_of(const nlohmann::json& row, const char* key) {
  if (!row.contains(key) || !row[key].is_array() || row[key].size() != 2) return std::nullopt;
  return Interval{row[key][0].get<double>(), row[key][1].get<double>()};
}

}  // namespace

std::string fused_unfused_svg(const Report& report, bool large) {
  std::vector<const Operation*> all;
  for (const char* pass : {"training", "forward"})
    for (const Operation* o : chosen(report, large, pass)) {
      const auto is_there = [&](const Operation* p) {
        return p->operation == o->operation && (o->operation != "optimizer_step" || p->size == o->size);
      };
      if (o->unfused && o->speedup && std::none_of(all.begin(), all.end(), is_there)) all.push_back(o);
    }
  std::stable_sort(all.begin(), all.end(), [](auto* a, auto* b) { return *a->speedup > *b->speedup; });
  Figure figure{.title = large ? "Fused against unfused operations: large, caches cold"
                               : "Fused against unfused operations: the presets\u2019 sizes, caches warm",
                .subtitle = device_text(report),
                .x_label = "time relative to the unfused operation, with 95 % interval",
                .legend = {{"fused", kOursColour}, {"unfused", kOtherColour}},
                .rows = {}};
  for (const Operation* o : all) figure.rows.push_back(bar_of(*o));
  return draw(figure);
}

std::string step_ratio_svg(const Report& report) {
  const bool one = std::all_of(report.steps.begin(), report.steps.end(), [&](auto& r) {
    return r.at("executor") == report.steps.front().at("executor");
  });
  Figure figure{.title = "Training step relative to its bare matrix products",
                .subtitle = device_text(report),
                .x_label = "time relative to the products alone, with 95 % interval",
                .legend = {{"training step", kOursColour}, {"its matrix products", kOtherColour}},
                .rows = {},
                .reference = 1.15,
                .reference_name = "target on the CPU: 1.15"};
  for (const auto& r : report.steps) {
    const std::string preset = r.at("preset"), executor = r.at("executor");
    const double ratio = r.at("ratio");
    const std::optional<Interval> interval = interval_of(r, "ratio_interval");
    figure.rows.push_back(
        {.name = one ? preset : preset + ", " + executor,
         .detail = fmt::format("batch {}, {}", r.value("batch", 0), r.value("optimizer", "")),
         .result = fmt::format("{} ({})", ratio_text(ratio), interval_text(interval)),
         .result_detail = fmt::format("{} against {}", time_text(r.value("us", 0.0) * 1e-6),
                                      time_text(r.value("bare_us", 0.0) * 1e-6)),
         .bars = {{ratio, kOursColour}, {1, kOtherColour}},
         .interval = interval});
  }
  return draw(figure);
}

std::string peers_svg(const nlohmann::json& result, const std::string& subtitle) {
  std::vector<nlohmann::json> ranked;
  for (const auto& peer : result.value("peers", nlohmann::json::array()))
    if (peer.value("in_band", false)) ranked.push_back(peer);
  if (ranked.empty()) return "";
  const auto ratio_of = [](const nlohmann::json& peer) {
    return peer.at("ratio").at("median").get<double>();
  };
  std::stable_sort(ranked.begin(), ranked.end(), [&](auto& a, auto& b) { return ratio_of(a) < ratio_of(b); });
  const auto time_of = [](const nlohmann::json& row) {
    return time_text(row.at("us_a_step").at("median").get<double>() * 1e-6) + " per step";
  };
  Figure figure{.title = "The same training in other frameworks: " + result.value("workload", ""),
                .subtitle = subtitle,
                .x_label = "time relative to gpuvae, with 95 % interval",
                .legend = {},
                .rows = {{.name = "gpuvae",
                          .detail = "",
                          .result = "1",
                          .result_detail = time_of(result.at("ours")),
                          .bars = {{1, kOursColour}},
                          .interval = {}}}};
  for (const auto& peer : ranked) {
    const std::optional<Interval> interval = interval_of(peer, "ratio_interval");
    figure.rows.push_back({.name = peer.at("name"),
                           .detail = fmt::format("{} threads", peer.value("threads", 0)),
                           .result = result_text(ratio_of(peer), peer.value("verdict", "")),
                           .result_detail = time_of(peer) + "; " + interval_text(interval),
                           .bars = {{ratio_of(peer), other_colour(peer.value("verdict", ""))}},
                           .interval = interval});
  }
  return draw(figure);
}

}  // namespace gpuvae::bench
