#include "bench/report_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace gpuvae::bench {

using namespace apps::plot;

std::string device_text(const Report& report) {
  return report.environment.value("device_description", report.environment.value("device", ""));
}

std::string spoken(const Operation& o) {
  std::string s =
      o.operation == "optimizer_step" ? o.size.substr(0, o.size.find('-')) + " update" : o.operation;
  std::replace(s.begin(), s.end(), '_', ' ');
  for (const auto& [word, name] : {std::pair{"bce", "BCE"},
                                   {"kl", "KL"},
                                   {"nll", "NLL"},
                                   {"bernoulli", "Bernoulli"},
                                   {"gaussian", "Gaussian"}})
    if (const std::size_t at = s.find(word); at != std::string::npos) s.replace(at, std::strlen(word), name);
  return s;
}
std::string spoken_size(const Operation& o) {
  const std::string size = o.operation == "optimizer_step" ? o.size.substr(o.size.find('-') + 1) : o.size;
  if (size.find_first_not_of("0123456789") == std::string::npos && !size.empty())
    return number_text(std::atof(size.c_str()), 0);
  return size;
}

std::string filled(const std::string& colour) { return fmt::format("fill=\"{}\" class=\"data\"", colour); }

void draw_legend(Svg& svg, double x, double y,
                 const std::vector<std::pair<std::string, std::string>>& entries) {
  for (const auto& [name, colour] : entries) {
    svg.rect({x, y - 11, 13, 13}, filled(colour));
    svg.text(x + 19, y, name);
    x += 19 + text_width(name, kNormal) + 26;
  }
}

void draw_x_axis(Svg& svg, const Box& area, const Scale& x, const Ticks& ticks, const std::string& label) {
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    const double at = x(ticks.values[i]);
    svg.line(at, area.y, at, area.bottom(), fmt::format("stroke=\"{}\"", kGridInk));
    svg.text(at, area.bottom() + 18, ticks.labels[i], {.anchor = "middle"});
  }
  svg.line(area.x, area.y, area.x, area.bottom(), fmt::format("stroke=\"{}\"", kSoftInk));
  draw_x_label(svg, area, area.bottom() + 20, label);
}

}  // namespace gpuvae::bench
