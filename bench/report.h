// The results of a benchmark run, with their tables and figures.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/statistics.h"

namespace gpuvae::bench {

// One result of gpuvae_bench; gpuvae_bench.cpp explains the fields. Units are seconds and bytes. `copy` and
// `matmul` are fractions of the ceilings.
struct Operation {
  std::string operation, size, pass, failure = {};
  bool large = false, cold = false;
  double seconds = 0, low = 0, high = 0, bytes = 0, flops = 0, moved = 0;
  std::optional<double> unfused = {}, speedup = {}, unfused_moved = {}, copy = {}, matmul = {}, error = {},
                        launches = {}, unfused_launches = {}, unfused_curand = {};
  std::optional<Interval> interval = {};  // 95 % interval of `speedup`
  std::string verdict = {};               // on the fused operation; see bench/statistics.h
  int rounds = 0, disturbed = 0;          // all rounds, and those in which the machine was disturbed
  nlohmann::json samples = {};            // seconds of each round and the state of the machine
};

struct Report {
  nlohmann::json environment = nlohmann::json::object();  // device, driver, compiler, commit, date, command
  double copy_bytes = 0, matmul_flops = 0;                // measured ceilings per second; 0 if not measured
  std::vector<Operation> operations = {};
  std::vector<nlohmann::json> steps = {}, epochs = {}, breakdown = {};  // rows of train_bench
  nlohmann::json peers = nlohmann::json::object();                      // bench/peers/run.py's peers.json
};

// The files of a report. Each may be empty, and each but `environment` is skipped if it does not exist.
struct ReportFiles {
  std::filesystem::path environment, operations, samples;  // `samples`: JSON lines of gpuvae_bench --samples
  std::filesystem::path training;                          // JSON lines of train_bench
  std::filesystem::path peers;                             // JSON of bench/peers/run.py
};
// Throws Error.
Report read_report(const ReportFiles& files);

// Returns report.json: an object whose arrays have one line per row.
std::string to_json(const Report& report);
std::string to_markdown(const Report& report);

// Figures as SVG; empty if there are no data.
std::string fused_unfused_svg(const Report& report, bool large);  // times relative to the unfused operation
std::string roofline_svg(const Report& report);
std::string breakdown_svg(const Report& report);   // kernels of one eager step per preset
std::string step_ratio_svg(const Report& report);  // time of a step relative to its bare products
// The times of other frameworks relative to ours in one element of peers.json's "results".
std::string peers_svg(const nlohmann::json& result, const std::string& subtitle);

// Formats a time for readers: "12.3 µs".
std::string time_text(double seconds);

// Returns, for each operation, the result of a pass (or of an update) that moves the most bytes: at large
// sizes with cold caches if `large`, at the presets' sizes with warm caches if not.
std::vector<const Operation*> chosen(const Report& report, bool large, const std::string& pass);

}  // namespace gpuvae::bench
