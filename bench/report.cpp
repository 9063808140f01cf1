// Combines the outputs of gpuvae_bench and train_bench into report.json, report.md and figures (SVG) in one
// folder.
#include "bench/report.h"

#include <CLI/CLI.hpp>

#include "apps/program/program.h"
#include "src/io/file.h"

namespace gpuvae::bench {
namespace {

void write(const std::filesystem::path& folder, const Report& report) {
  io::make_folder(folder);
  io::write_file(folder / "report.json", to_json(report).dump(1) + "\n");
  io::write_file(folder / "report.md", to_markdown(report));
  const auto figure = [&](const char* name, const std::string& svg) {
    if (!svg.empty()) io::write_file(folder / name, svg);
  };
  figure("fused-unfused-large.svg", fused_unfused_svg(report, true));
  figure("fused-unfused-presets.svg", fused_unfused_svg(report, false));
  figure("roofline.svg", roofline_svg(report));
  figure("step-ratio.svg", step_ratio_svg(report));
  figure("step-breakdown.svg", breakdown_svg(report));
}

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) {
  using namespace gpuvae;
  std::string environment, operations, training, out = ".";
  CLI::App app("Tables and figures of the benchmarks.", "bench_report");
  app.add_option("--environment", environment,
                 "JSON file with device, driver, compiler, commit, date and command");
  app.add_option("--operations", operations, "JSON file that gpuvae_bench wrote");
  app.add_option("--training", training, "file of JSON lines that train_bench wrote");
  app.add_option("--out", out, "folder of the report");
  CLI11_PARSE(app, argc, argv);
  return apps::run_guarded("bench_report",
                           [&] { bench::write(out, bench::read_report(environment, operations, training)); });
}
