// The report's roofline, and where the time of a step goes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/plot/axes.h"
#include "apps/plot/palette.h"
#include "bench/report_figures.h"

namespace gpuvae::bench {

using namespace apps;
using namespace apps::plot;

std::string roofline_svg(const Report& report) {
  struct Point {
    const Operation* o;
    double x, y, unfused_x, unfused_y;  // flop/byte, flop/s
  };
  std::vector<Point> points;
  std::vector<double> xs, ys{report.matmul_flops};
  for (const Operation* o : chosen(report, true, "training")) {
    if (o->flops <= 0 || o->moved <= 0) continue;
    const bool has_unfused = o->unfused && *o->unfused_moved > 0;
    points.push_back({o, o->flops / o->moved, o->flops / o->seconds,
                      has_unfused ? o->flops / *o->unfused_moved : NAN,
                      has_unfused ? o->flops / *o->unfused : NAN});
    for (const double v : {points.back().x, points.back().unfused_x})
      if (is_plottable(v)) xs.push_back(v);
    for (const double v : {points.back().y, points.back().unfused_y})
      if (is_plottable(v)) ys.push_back(v);
  }
  if (points.empty() || report.copy_bytes <= 0 || report.matmul_flops <= 0) return "";
  const double ridge = report.matmul_flops / report.copy_bytes;
  xs.push_back(ridge * 4);
  const Range x = range_of(xs), y = range_of(ys);
  Axes axes{"Roofline: large sizes, caches cold",
            "arithmetic operations per byte moved",
            "Gflop/s",
            {0, 0, 620, 420},
            {},
            {},
            {},
            {}};
  axes.x = {{x.low / 1.6, x.high * 1.3}, 0, axes.area.width, true};
  axes.y = {{y.low / 1.8e9, y.high * 1.8e-9}, axes.area.height, 0, true};
  axes.x_ticks = log_ticks(axes.x.values.low, axes.x.values.high, 8);
  axes.y_ticks = log_ticks(axes.y.values.low, axes.y.values.high, 8);
  Svg svg;
  draw_axes(svg, axes);
  const auto at_y = [&](double flops) { return axes.y(flops * 1e-9); };
  const std::string roof = fmt::format("stroke=\"{}\" stroke-width=\"2\"", kInk);
  const double from = std::max(axes.x.values.low, axes.y.values.low * 1e9 / report.copy_bytes);
  svg.line(axes.x(from), at_y(from * report.copy_bytes), axes.x(ridge), at_y(report.matmul_flops), roof);
  svg.line(axes.x(ridge), at_y(report.matmul_flops), axes.area.right(), at_y(report.matmul_flops), roof);
  svg.text(axes.area.right() - 6, at_y(report.matmul_flops) - 8,
           fmt::format("matrix product {:.0f} Gflop/s", report.matmul_flops * 1e-9),
           {.anchor = "end", .halo = true});
  svg.text(axes.area.right() - 6, axes.area.bottom() - 10,
           fmt::format("sloping line: copy {:.1f} GB/s", report.copy_bytes * 1e-9),
           {.anchor = "end", .halo = true});

  std::vector<double> heights;
  for (const Point& p : points) heights.push_back(at_y(p.y));
  const std::vector<double> labels = spread_labels(heights, 19, {4, axes.area.bottom() - 4});
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& p = points[i];
    const std::string colour = hex(kLineColours[i % kLineColours.size()]);
    const double px = axes.x(p.x), py = at_y(p.y), label_x = axes.area.right() + 26;
    svg.line(px, py, label_x - 4, labels[i], fmt::format("stroke=\"{}\" stroke-opacity=\".35\"", colour));
    if (is_plottable(p.unfused_x)) {
      const double tx = axes.x(p.unfused_x), ty = at_y(p.unfused_y);
      svg.line(tx, ty, px, py, fmt::format("stroke=\"{}\" stroke-dasharray=\"3 3\"", colour));
      svg.path(
          fmt::format("M{} {}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0", coordinate(tx), coordinate(ty)),
          {tx - 5, ty - 5, 10, 10}, fmt::format("fill=\"#fff\" stroke=\"{}\" stroke-width=\"2\"", colour));
    }
    svg.path(
        fmt::format("M{} {}h0", coordinate(px), coordinate(py)), {px - 6, py - 6, 12, 12},
        fmt::format("stroke=\"{}\" stroke-width=\"12\" stroke-linecap=\"round\" class=\"data\"", colour));
    svg.text(label_x, middle(labels[i], kNormal), spoken(*p.o), {.colour = colour});
  }
  svg.text(0, axes.area.bottom() + 74, "filled: fused; ring: unfused. " + device_text(report),
           {.size = kSmall, .colour = kSoftInk});
  return svg.finish(axes.title);
}

namespace {

// A group of kernel calls in the breakdown of a step, with the name that the figure shows.
struct Group {
  const char* name;
  std::vector<std::string> calls;
};
const std::array<Group, 7>& groups() {
  static const std::array<Group, 7> all = {{
      {"matrix products", {"gemm"}},
      {"activations, biases", {"activation_backward", "unary", "unary_backward"}},
      {"likelihood", {"likelihood", "bce", "gaussian_nll"}},
      {"sampling, KL", {"posterior", "posterior_backward"}},
      {"optimiser", {"optimizer_step", "clip", "average"}},
      {"batch gather", {"gather"}},
      {"host and gaps", {"rest"}},
  }};
  return all;
}

// Returns colours that differ clearly between neighbours in the bar, and grey for entries that are not
// kernels.
std::string group_colour(std::size_t group) {
  constexpr std::array<int, 6> kOrder = {0, 4, 6, 2, 1, 3};
  return group < kOrder.size() ? hex(kLabelColours[static_cast<std::size_t>(kOrder[group])])
         : group == 6          ? "#b9b9b9"
                               : "#666";
}

struct Step {
  std::string preset;
  std::array<double, 8> microseconds{};  // by group; the last element is for other kernels
  double total = 0;
};

std::vector<Step> steps_of(const Report& report) {
  std::vector<Step> steps;
  for (const auto& row : report.breakdown) {
    const std::string preset = row.at("preset"), call = row.at("call");
    if (steps.empty() || steps.back().preset != preset) steps.push_back({preset});
    std::size_t group = 0;
    while (group < groups().size() && std::find(groups()[group].calls.begin(), groups()[group].calls.end(),
                                                call) == groups()[group].calls.end())
      ++group;
    const double us = row.at("us");
    steps.back().microseconds[group] += us;
    steps.back().total += us;
  }
  return steps;
}

}  // namespace

std::string breakdown_svg(const Report& report) {
  const std::vector<Step> steps = steps_of(report);
  double most = 0;
  for (const Step& s : steps) most = std::max(most, s.total);
  if (most <= 0) return "";
  constexpr double kThick = 24, kPitch = 42, kLong = 620;
  const Box area{0, 0, kLong, kPitch * static_cast<double>(steps.size())};
  const Scale x{{0, 1.02 * most}, 0, kLong};
  Svg svg;
  draw_x_axis(svg, area, x, nice_ticks(0, x.values.high, 8), "\u00b5s per step, call by call");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double y = kPitch * static_cast<double>(i) + (kPitch - kThick) / 2;
    double done = 0;
    for (std::size_t g = 0; g < steps[i].microseconds.size(); ++g) {
      const double next = done + steps[i].microseconds[g];
      if (next > done)
        svg.rect({x(done), y, x(next) - x(done), kThick},
                 filled(group_colour(g)) + " stroke=\"#fff\" stroke-width=\".7\"");
      done = next;
    }
    svg.text(-12, middle(y + kThick / 2, kLarge), steps[i].preset, {.size = kLarge, .anchor = "end"});
    svg.text(x(done) + 8, middle(y + kThick / 2, kNormal), time_text(done * 1e-6), {.halo = true});
  }
  std::vector<std::pair<std::string, std::string>> first, second;
  for (std::size_t g = 0; g < groups().size(); ++g)
    (g < 4 ? first : second).emplace_back(groups()[g].name, group_colour(g));
  second.emplace_back("other", group_colour(7));
  draw_legend(svg, 0, -38, first);
  draw_legend(svg, 0, -16, second);
  svg.text(0, -62, device_text(report), {.colour = kSoftInk});
  svg.text(0, -84, "Where an eager training step\u2019s time goes", {.size = kTitle, .bold = true});
  return svg.finish("Where an eager training step's time goes");
}

}  // namespace gpuvae::bench
