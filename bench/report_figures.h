// Parts that the report's figures share.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/plot/axes.h"
#include "bench/report.h"

namespace gpuvae::bench {

// Returns the device on which the report was measured, for captions.
std::string device_text(const Report& report);

// Returns the name of an operation for readers, such as "BCE with logits" or "adam update", and its size.
std::string spoken(const Operation& o);
std::string spoken_size(const Operation& o);

// Attributes of a shape that shows data.
std::string filled(const std::string& colour);

// Draws a legend of coloured squares in a row, which begins at `x` at height `y`.
void draw_legend(apps::plot::Svg& svg, double x, double y,
                 const std::vector<std::pair<std::string, std::string>>& entries);

// Draws vertical grid lines, their labels under the area, and the label of the axis below them.
void draw_x_axis(apps::plot::Svg& svg, const apps::plot::Box& area, const apps::plot::Scale& x,
                 const apps::plot::Ticks& ticks, const std::string& label);

}  // namespace gpuvae::bench
