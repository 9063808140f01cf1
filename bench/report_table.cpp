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

// "faster: 1.52 (1.43-1.60), 2 of 31 disturbed"
std::string verdict_text(const Operation& o) {
  if (!o.speedup) return "";
  std::string s = fmt::format("{}: {}", o.verdict, ratio_text(*o.speedup));
  if (o.interval) s += fmt::format(" ({}-{})", ratio_text(o.interval->low), ratio_text(o.interval->high));
  return s + (o.disturbed ? fmt::format(", {} of {} disturbed", o.disturbed, o.rounds) : "");
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
                        verdict_text(o), bytes_text(o.bytes), bytes_text(o.moved),
                        o.unfused_moved ? bytes_text(*o.unfused_moved) : "-", o.bytes / o.seconds * 1e-9,
                        percent(o.copy), percent(o.matmul), optional_text(o.error, "{:.1e}"));
    if (launches)
      rows += fmt::format(" {} | {} |", optional_text(o.launches, "{:.0f}"),
                          optional_text(o.unfused_launches, "{:.0f}"));
    rows += "\n";
  }
  if (rows.empty()) return "";
  std::string s = fmt::format("\n## Fused operations, {} sizes\n\n", large ? "large" : "the presets'");
  s += "| operation | pass | caches | fused (p10-p90) | unfused | fused is | minimum bytes (fused moves, "
       "unfused moves) | GB/s | "
       "of copy | of matmul | error |";
  s += launches ? " launches | unfused launches |\n" : "\n";
  for (int i = 0; i < (launches ? 13 : 11); ++i) s += "|---";
  s += "|\n" + rows;
  s += "\nThe unfused operation is the same function in separate calls: matrix products of oneDNN or "
       "cuBLASLt without "
       "epilogue, element-wise kernels and reductions.\n";
  s += "\n\"Fused is\": the verdict, and the time of the unfused operation divided by that of the fused one: "
       "the "
       "median of rounds, in which both were measured, and its 95 % interval. \"disturbed\" counts the "
       "rounds with "
       "steal time, other processes or preemptions.\n";
  if (curand)
    s += "\n(cuRAND): the unfused operation draws its noise with cuRAND's host API and then runs "
         "separate kernels.\n";
  return s;
}

std::string steps_table(const Report& report) {
  if (report.steps.empty()) return "";
  std::string s =
      "\n## Training steps\n\nSteps alternate with their bare matrix products, which the CPU computes with "
      "dnnl_sgemm on the threads of the library's pool. Step: median (10th-90th percentile). Ratio: median "
      "of the "
      "rounds (95 % interval).\n\n"
      "| preset | executor | optimiser | threads | batch | step, us | bare products, us | ratio | step "
      "against "
      "products | disturbed rounds | images/s |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const json& r : report.steps) {
    const auto v = [&](const char* key) { return r.value(key, 0.0); };
    std::string range;
    if (r.contains("ratio_interval"))
      range = fmt::format(" ({:.3f}-{:.3f})", r["ratio_interval"][0].get<double>(),
                          r["ratio_interval"][1].get<double>());
    s += fmt::format(
        "| {} | {} | {} | {} | {} | {:.1f} ({:.1f}-{:.1f}) | {:.1f} | {:.3f}{} | {} | {} of {} | {:.0f} |\n",
        text(r, "preset"), text(r, "executor"), text(r, "optimizer"), text(r, "threads"), text(r, "batch"),
        v("us"), v("low"), v("high"), v("bare_us"), v("ratio"), range, text(r, "verdict"),
        text(r, "disturbed"), text(r, "rounds"), v("images_per_second"));
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

// The figures of another program's results, with the version and the date of these.
std::string peers_section(const Report& report) {
  std::string figures;
  for (const json& r : report.peers.value("results", json::array())) {
    const std::string workload = r.value("workload", "");
    if (!peers_svg(r, "").empty()) figures += fmt::format("\n![{0}](peers-{0}.svg)\n", workload);
  }
  if (figures.empty()) return "";
  const json machine = report.peers.value("machine", json::object());
  return fmt::format("\n## Other frameworks\n\n{}, version {}, `{}`:\n", text(machine, "date"),
                     text(machine, "commit"), text(machine, "command")) +
         figures;
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
  return s + steps_table(report) + epochs_table(report) + peers_section(report) +
         operations_table(report, false) + operations_table(report, true);
}

}  // namespace gpuvae::bench
