// Writes the report as Markdown.
#include <fmt/format.h>

#include <cmath>

#include "bench/report.h"

namespace gpuvae::bench {
namespace {

using nlohmann::json;

std::string optional_text(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "";
}
std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.0f} %", 100 * *share) : "";
}
std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes * 1e-9);
  return bytes >= 1e6 ? fmt::format("{:.2f} MB", bytes * 1e-6) : fmt::format("{:.1f} kB", bytes * 1e-3);
}

std::string text(const json& o, const char* key) {
  if (!o.contains(key)) return "unknown";
  return o[key].is_string() ? o[key].get<std::string>() : o[key].dump();
}

std::string heading(const Report& report) {
  std::string s = "# Benchmarks\n\n";
  for (const char* key : {"device", "device_description", "driver", "compiler", "commit", "date", "command"})
    s += fmt::format("- {}: {}\n", key, text(report.environment, key));
  if (report.copy_bytes > 0)
    s += fmt::format(
        "- measured ceilings: copy {:.1f} GB/s (read + written), f32 matrix product {:.1f} Gflop/s\n",
        report.copy_bytes * 1e-9, report.matmul_flops * 1e-9);
  return s;
}

std::string operations_table(const Report& report, bool large) {
  bool launches = false, curand = false;
  for (const Operation& o : report.operations) {
    launches |= o.launches.has_value();
    curand |= o.large == large && o.unfused_curand.has_value();
  }
  std::string rows;
  for (const Operation& o : report.operations) {
    if (o.large != large) continue;
    const std::string head =
        fmt::format("| {} {} | {} | {} |", o.operation, o.size, o.pass, o.cold ? "cold" : "warm");
    if (!o.failure.empty()) {
      rows += head + " " + o.failure + " |\n";
      continue;
    }
    rows += fmt::format("{} {} ({}-{}) | {} | {} | {} ({}, {}) | {:.1f} | {} | {} | {} |", head,
                        time_text(o.seconds), time_text(o.low), time_text(o.high),
                        (o.unfused ? time_text(*o.unfused) : "") + (o.unfused_curand ? " (cuRAND)" : ""),
                        optional_text(o.speedup, "{:.2f}"), bytes_text(o.bytes), bytes_text(o.moved),
                        o.unfused_moved ? bytes_text(*o.unfused_moved) : "-", o.bytes / o.seconds * 1e-9,
                        percent(o.copy), percent(o.matmul), optional_text(o.error, "{:.1e}"));
    if (launches)
      rows += fmt::format(" {} | {} |", optional_text(o.launches, "{:.0f}"),
                          optional_text(o.unfused_launches, "{:.0f}"));
    rows += "\n";
  }
  if (rows.empty()) return "";
  std::string s = fmt::format("\n## Fused operations, {} sizes\n\n", large ? "large" : "the presets'");
  s += "| operation | pass | caches | fused (p10-p90) | unfused | ratio | minimum bytes (fused moves, "
       "unfused moves) | GB/s | "
       "of copy | of matmul | error |";
  s += launches ? " launches | unfused launches |\n" : "\n";
  for (int i = 0; i < (launches ? 13 : 11); ++i) s += "|---";
  s += "|\n" + rows;
  if (curand)
    s += "\n(cuRAND): the unfused operation draws its noise with cuRAND's host API and then runs "
         "separate kernels.\n";
  return s;
}

std::string steps_table(const Report& report) {
  if (report.steps.empty()) return "";
  std::string s =
      "\n## Training steps\n\nSteps alternate with their bare matrix products; medians (10th-90th "
      "percentile).\n\n"
      "| preset | executor | optimiser | threads | batch | step, us | bare products, us | ratio | images/s "
      "|\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const json& r : report.steps) {
    const auto v = [&](const char* key) { return r.value(key, 0.0); };
    s += fmt::format(
        "| {} | {} | {} | {} | {} | {:.1f} ({:.1f}-{:.1f}) | {:.1f} | {:.2f} ({:.2f}-{:.2f}) | {:.0f} |\n",
        text(r, "preset"), text(r, "executor"), text(r, "optimizer"), text(r, "threads"), text(r, "batch"),
        v("us"), v("low"), v("high"), v("bare_us"), v("ratio"), v("ratio_low"), v("ratio_high"),
        v("images_per_second"));
  }
  return s;
}

std::string epochs_table(const Report& report) {
  if (report.epochs.empty()) return "";
  std::string s =
      "\n## Epochs\n\n| preset | executor | data | s per epoch | validation, s | images/s | "
      "target validation loss | reached after |\n|---|---|---|---|---|---|---|---|\n";
  for (const json& r : report.epochs) {
    const auto v = [&](const char* key) { return r.value(key, 0.0); };
    const bool asked = r.contains("target_validation_loss");
    std::string reached;
    if (r.contains("seconds_to_loss"))
      reached = fmt::format("{:.3g} s, {} epochs", v("seconds_to_loss"), text(r, "epochs_to_loss"));
    else if (asked)
      reached = fmt::format("not in {} epochs ({:.5g})", text(r, "epochs"), v("last_validation_loss"));
    s += fmt::format("| {} | {} | {} | {:.4g} | {:.4g} | {:.0f} | {} | {} |\n", text(r, "preset"),
                     text(r, "executor"), r.value("real_data", false) ? "real" : "built-in", v("seconds"),
                     v("validation_seconds"), v("images_per_second"),
                     asked ? fmt::format("{}", v("target_validation_loss")) : "", reached);
  }
  return s;
}

}  // namespace

std::string time_text(double seconds) {
  const auto digits = [](double v) { return v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2; };
  const auto with = [&](double v, const char* unit) { return fmt::format("{:.{}f} {}", v, digits(v), unit); };
  if (seconds >= 1) return with(seconds, "s");
  return seconds >= 1e-3 ? with(seconds * 1e3, "ms") : with(seconds * 1e6, "\u00b5s");
}

std::string to_markdown(const Report& report) {
  std::string s = heading(report);
  const auto figure = [&](const char* file, const char* what, const std::string& svg) {
    if (!svg.empty()) s += fmt::format("\n![{}]({})\n", what, file);
  };
  figure("fused-unfused-large.svg", "Fused against unfused, large sizes", fused_unfused_svg(report, true));
  figure("fused-unfused-presets.svg", "Fused against unfused, the presets' sizes",
         fused_unfused_svg(report, false));
  figure("roofline.svg", "Roofline", roofline_svg(report));
  figure("step-ratio.svg", "Training steps relative to their bare matrix products", step_ratio_svg(report));
  figure("step-breakdown.svg", "Where a step's time goes", breakdown_svg(report));
  return s + steps_table(report) + epochs_table(report) + operations_table(report, false) +
         operations_table(report, true);
}

}  // namespace gpuvae::bench
