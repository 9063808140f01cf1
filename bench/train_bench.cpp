// Times training with each preset and each available executor. Measures microseconds per step, also relative
// to the matrix products of the step alone ("bare products"), seconds per epoch, images per second, and the
// time to the published validation loss. Executors and products alternate in rounds, until the ratios are
// known well enough or the time is up (bench/rounds.h). Prints medians, intervals and verdicts as tables on
// stdout. Writes the same figures, all samples with the state of the machine, and a breakdown of an eager
// step as JSON lines to --out.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/program/program.h"
#include "bench/stopwatch.h"
#include "bench/training.h"
#include "gpuvae/threads.h"

namespace gpuvae::bench {
namespace {

void print_epochs(Output& out, const std::vector<nlohmann::json>& rows) {
  out.say(
      "\n| preset | executor | s per epoch | validation, s | images/s | time to published loss "
      "|\n|---|---|---|---|---|---|\n");
  for (const nlohmann::json& r : rows) {
    std::string reached = "not measured";
    if (r.contains("seconds_to_loss"))
      reached = fmt::format("{:.2f} s, {} epochs", r["seconds_to_loss"].get<double>(),
                            r["epochs_to_loss"].get<int>());
    else if (r.contains("target_validation_loss"))
      reached = fmt::format("not reached in {} epochs (last loss {:.4g})", r["epochs"].get<int>(),
                            r["last_validation_loss"].get<double>());
    out.say("| {} | {} | {:.4g} ({:.4g}-{:.4g}) | {:.4g} | {:.0f} | {} |\n", r["preset"].get<std::string>(),
            r["executor"].get<std::string>(), r["seconds"].get<double>(), r["low"].get<double>(),
            r["high"].get<double>(), r["validation_seconds"].get<double>(),
            r["images_per_second"].get<double>(), reached);
  }
}

void measure(const TrainingOptions& o) {
  check_clock();
  if (o.threads > 0) set_num_threads(o.threads);
  const Device device = Device::parse(o.device);
  if (o.probe) {
    fmt::print("{}: {}\n", device.text(), device.description());
    return;
  }
  Output out(o.out);
  out.row({{"kind", "device"},
           {"device", device.text()},
           {"description", device.description()},
           {"compiler", GPUVAE_COMPILER},
           {"threads", num_threads()}});
  out.say(
      "{}: {}; rounds in which steps and bare products alternate; step: median (10th to 90th percentile); "
      "ratio: median (95 % interval)\n\n",
      device.text(), device.description());
  out.say(
      "| preset | executor | optimiser | threads | step, us | bare products, us | ratio | step against "
      "products | "
      "disturbed rounds | images/s |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  std::vector<nlohmann::json> epochs;
  for (const System& system : kSystems) {
    const auto& names = o.presets;
    if (!names.empty() && std::find(names.begin(), names.end(), system.name) == names.end()) continue;
    for (nlohmann::json& row : measure_training(system, o, device, out)) epochs.push_back(std::move(row));
  }
  print_epochs(out, epochs);
}

int main(int argc, char** argv) {
  TrainingOptions o;
  CLI::App app(
      "Measures the time of a training step, of an epoch, and of training to the published loss, per preset "
      "and executor.",
      "train_bench");
  std::vector<std::string> presets, executors, optimizers;
  for (const System& s : kSystems) presets.push_back(s.name);
  for (const Executor& e : kExecutors) executors.push_back(e.name);
  for (int k = 0; k <= static_cast<int>(OptimizerKind::adamw); ++k)
    optimizers.emplace_back(name(OptimizerKind(k)));
  app.add_option("--device", o.device, "device: auto (a GPU if there is one), cpu, cuda or cuda:N")
      ->capture_default_str();
  app.add_option("--presets", o.presets, "presets to measure, separated by commas (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(presets));
  app.add_option("--executors", o.executors, "executors to measure, separated by commas (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(executors));
  app.add_option("--optimizer", o.optimizer,
                 "optimiser for all presets (default: the optimiser of each preset)")
      ->check(CLI::IsMember(optimizers));
  app.add_option(
         "--rounds", o.rounds,
         "largest number of rounds, each of which times --steps steps and their bare matrix products; fewer "
         "are measured if the ratios are known to 4 % or --step-budget is spent")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--steps", o.steps,
         "number of steps per round, at most one epoch; 0 (default) means 20 on the CPU and 600 on CUDA")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", o.threads,
                 "number of threads of the CPU backend; 0 (default) means all processors")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--step-budget", o.step_budget, "largest number of seconds for the rounds of a preset")
      ->capture_default_str();
  app.add_option("--epoch-budget", o.epoch_budget, "seconds to spend on whole epochs per preset and executor")
      ->capture_default_str();
  app.add_flag("!--no-loss", o.to_loss, "do not measure the time to the published losses");
  app.add_option(
      "--data-dir", o.data_dir,
      "folder of the MNIST and Frey Face files (default: $GPUVAE_DATA_DIR, else data/); built-in data are "
      "used if files are missing");
  app.add_option("--out", o.out, "file for the results, one JSON object per line (default: no file)");
  app.add_flag("--probe", o.probe, "print the device and exit");
  app.add_flag("--quick", o.quick, "at most 19 rounds, and budgets of at most 6 seconds");
  CLI11_PARSE(app, argc, argv);
  if (o.quick) {
    o.rounds = std::min(o.rounds, 19);
    o.step_budget = std::min(o.step_budget, 6.0);
    o.epoch_budget = std::min(o.epoch_budget, 6.0);
  }
  return apps::run_guarded("train_bench", [&] { measure(o); });
}

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) { return gpuvae::bench::main(argc, argv); }
