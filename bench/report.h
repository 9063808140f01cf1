// What a run of the benchmarks found, and its tables and figures.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gpuvae::bench {

// A benchmark of gpuvae_bench: see there. Seconds, bytes, and shares of 1.
struct Operation {
  std::string operation, size, pass, failure = {};
  bool large = false, cold = false;
  double seconds = 0, low = 0, high = 0, bytes = 0, flops = 0, moved = 0;
  std::optional<double> unfused = {}, speedup = {}, unfused_moved = {}, copy = {}, matmul = {}, error = {},
                        launches = {}, unfused_launches = {}, unfused_curand = {};
};

struct Report {
  nlohmann::json environment = nlohmann::json::object();  // device, driver, compiler, commit, date, command
  double copy_bytes = 0, matmul_flops = 0;                // ceilings, per second; 0: not measured
  std::vector<Operation> operations = {};
  std::vector<nlohmann::json> steps = {}, epochs = {}, breakdown = {};  // rows of train_bench
};

// From gpuvae_bench's JSON and train_bench's JSON lines; a file that is not there is left out. Throws Error.
Report read_report(const std::filesystem::path& environment, const std::filesystem::path& operations,
                   const std::filesystem::path& training);

nlohmann::json to_json(const Report& report);
std::string to_markdown(const Report& report);

// Figures as SVG; empty where there are no data.
std::string fused_unfused_svg(const Report& report,
                              bool large);  // bars: times, the unfused implementation's as 1
std::string roofline_svg(const Report& report);
std::string breakdown_svg(const Report& report);   // an eager step of each preset, by kernel
std::string step_ratio_svg(const Report& report);  // a step over its bare products

// For people: "12.3 µs".
std::string time_text(double seconds);

// Of each operation and pass, the one with most elements: with cold caches if large, warm if not.
std::vector<const Operation*> chosen(const Report& report, bool large, const std::string& pass);

}  // namespace gpuvae::bench
