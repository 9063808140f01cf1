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
  io::write_file(folder / "report.json", to_json(report));
  io::write_file(folder / "report.md", to_markdown(report));
  const auto figure = [&](const char* name, const std::string& svg) {
    if (!svg.empty()) io::write_file(folder / name, svg);
  };
  figure("fused-unfused-large.svg", fused_unfused_svg(report, true));
  figure("fused-unfused-presets.svg", fused_unfused_svg(report, false));
  figure("roofline.svg", roofline_svg(report));
  figure("step-ratio.svg", step_ratio_svg(report));
  figure("step-breakdown.svg", breakdown_svg(report));
  const nlohmann::json machine = report.peers.value("machine", nlohmann::json::object());
  const std::string subtitle =
      machine.value("gpu", "").empty() ? machine.value("cpu", "") : machine.value("gpu", "");
  for (const auto& result : report.peers.value("results", nlohmann::json::array()))
    figure(("peers-" + result.value("workload", "") + ".svg").c_str(), peers_svg(result, subtitle));
}

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) {
  using namespace gpuvae;
  bench::ReportFiles files;
  std::string out = ".";
  CLI::App app("Tables and figures of the benchmarks.", "bench_report");
  app.add_option("--environment", files.environment,
                 "JSON file with device, driver, compiler, commit, date and command");
  app.add_option("--operations", files.operations, "JSON file that gpuvae_bench wrote");
  app.add_option("--samples", files.samples, "file of JSON lines that gpuvae_bench --samples wrote");
  app.add_option("--training", files.training, "file of JSON lines that train_bench wrote");
  app.add_option("--peers", files.peers,
                 "JSON file that bench/peers/run.py wrote; its figures are peers-*.svg");
  app.add_option("--out", out, "folder of the report");
  CLI11_PARSE(app, argc, argv);
  return apps::run_guarded("bench_report", [&] { bench::write(out, bench::read_report(files)); });
}
