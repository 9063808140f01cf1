// Benchmarks every fused operation against its unfused implementation, forward and backward, at the sizes of
// the presets and at large sizes, with warm and with cold caches. The time that Google Benchmark prints is
// the median time of the fused operation. Its samples alternate with samples of the unfused one in rounds,
// until the ratio is known well enough or the time is up (bench/rounds.h). The label gives the verdict:
// faster, slower, same or undecided. Before that, the program checks that both implementations compute their
// outputs in every run, and that they agree (bench/work_check.h). Times are
// measured by CUDA events on a GPU and by the wall clock on the CPU. The ceilings are the rates of a large
// copy and of a large f32 matrix product, which the program measures first. The counters are:
//
//   unfused           seconds of the unfused implementation
//   speedup           unfused / fused: the median of the ratios of the rounds
//   speedup_low, speedup_high   ends of its 95 % interval (bench/statistics.h)
//   low, high         10th and 90th percentile of the fused samples
//   samples, disturbed          number of rounds, and of those in which the machine was disturbed
//   bytes             minimum number of bytes that the operation moves
//   moved, unfused_moved        bytes that its kernel calls move
//   copy, matmul      bytes / time over the copy ceiling, flops / time over the matmul ceiling
//   error             error of the fused results against f64, relative to the largest element
//   launches, unfused_launches  number of kernels started (CUDA)
//   unfused_curand    1 if the unfused implementation draws its noise with cuRAND
//
// The program skips operations that need too much memory or time, and prints a line about each of them.
// Google Benchmark's flags work: --benchmark_filter=bce, --benchmark_out=FILE. --samples writes the samples
// of every round and the state of the machine.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <optional>

#include "apps/program/program.h"
#include "bench/observers.h"
#include "bench/rounds.h"
#include "bench/workloads.h"
#include "gpuvae/error.h"
#include "gpuvae/memory.h"

namespace gpuvae::bench {
namespace {

struct Options {
  std::string device = "auto", samples;
  bool quick = false, large = true;
  double most_elements = 0, budget = 0;  // budget: seconds per benchmark; 0: automatic
  std::size_t flush_mib = 0;
};

// Data that all benchmarks of a run share.
struct Bench {
  Device device;
  Options options;
  Ceilings ceilings;
  Stopwatch stopwatch;
  std::optional<std::string> cold_failure = {};  // an empty text: cold times can be measured
  std::ofstream samples = {};

  // Throws Error if cold times cannot be measured.
  void require_cold() {
    if (!cold_failure) {
      cold_failure = "";
      try {
        stopwatch.check_cold();
      } catch (const Error& error) {
        cold_failure = error.what();
      }
    }
    if (!cold_failure->empty()) throw Error("gpuvae_bench", *cold_failure);
  }
};

// Bytes moved and kernels started by one run of `body`.
struct Counted {
  double bytes = 0;
  std::uint64_t launches = 0;
};
Counted count(Device device, const Body& body) {
  kernels::Backend& backend = device.backend();
  CountingObserver counting;
  const std::uint64_t before = backend.launches();
  const ObserverScope observed(backend, counting);
  body();
  return {counting.bytes, backend.launches() - before};
}

Body timed(const Work& work) {
  return [&work] { work.run(nullptr); };
}

// Checks that both implementations do their work and agree. Differences between them are rounding errors; a
// wrong result is at least as large as the results themselves.
void check(const Bench& bench, const Contest& contest) {
  constexpr double kTolerance = 0.02;
  const OutputSamples fused = check_work(contest.fused, bench.device);
  if (!contest.unfused.run) return;
  const OutputSamples unfused = check_work(contest.unfused, bench.device);
  if (contest.unfused.repeatable) check_agreement(unfused, fused, kTolerance);
}

// Measures fused and unfused samples in rounds: side 0 is the unfused operation, if there is one.
Rounds sample(Bench& bench, const Contest& contest, bool cold) {
  std::vector<Timer> sides;
  for (const Work* work : {&contest.unfused, &contest.fused}) {
    if (!work->run) continue;
    const Body body = timed(*work);
    body();
    sides.emplace_back([&stopwatch = bench.stopwatch, body, cold] {
      return cold ? stopwatch.cold(body) : stopwatch.warm(body);
    });
  }
  constexpr int kMaxRounds = 201, kMaxRoundsAlone = 51;
  return run_rounds(
      sides, {.most = contest.unfused.run ? kMaxRounds : kMaxRoundsAlone, .budget = bench.options.budget});
}

// Sets the counters that compare the fused operation with the unfused one.
void report_unfused(benchmark::State& state, const Bench& bench, const Contest& contest,
                    const Rounds& rounds) {
  const auto set = [&](const char* name, double value) { state.counters[name] = value; };
  const Comparison c = rounds.compare(0, 1);
  set("unfused", statistics_of(rounds.seconds[0]).median);
  set("speedup", c.ratio);
  if (c.interval) {
    set("speedup_low", c.interval->low);
    set("speedup_high", c.interval->high);
  }
  const Counted of_unfused = count(bench.device, timed(contest.unfused));
  set("unfused_moved", of_unfused.bytes);
  if (contest.unfused_uses_curand) set("unfused_curand", 1);
  if (!bench.device.is_cpu()) set("unfused_launches", static_cast<double>(of_unfused.launches));
}

void report(benchmark::State& state, const Bench& bench, const Workload& w, const Contest& contest,
            const Rounds& rounds, bool cold) {
  const Statistics fused = statistics_of(rounds.seconds.back());
  const auto set = [&](const char* name, double value) { state.counters[name] = value; };
  set("low", fused.low);
  set("high", fused.high);
  set("samples", fused.samples);
  set("disturbed", rounds.disturbed());
  set("bytes", w.bytes);
  set("flops", w.flops);
  set("copy", w.bytes / fused.median / bench.ceilings.copy_bytes);
  if (w.operation == "linear") set("matmul", w.flops / fused.median / bench.ceilings.matmul_flops);
  const Counted of_fused = count(bench.device, timed(contest.fused));
  set("moved", of_fused.bytes);
  if (!bench.device.is_cpu()) set("launches", static_cast<double>(of_fused.launches));
  if (contest.error && !cold)
    if (const std::optional<double> error = contest.error()) set("error", *error);
  std::string label = w.large ? "large" : "preset";
  if (contest.unfused.run) {
    report_unfused(state, bench, contest, rounds);
    label += "; " + rounds.compare(0, 1).text();
  }
  state.SetLabel(label);
}

// Writes the raw samples of one benchmark as a line of JSON.
void write_samples(std::ofstream& file, const std::string& name, const Rounds& rounds) {
  if (!file.is_open()) return;
  nlohmann::json row{{"name", name}, {"fused", rounds.seconds.back()}, {"machine", rounds.machine_json()}};
  if (rounds.seconds.size() == 2) {
    row["unfused"] = rounds.seconds[0];
    row["verdict"] = gpuvae::bench::name(rounds.compare(0, 1).verdict);
  }
  file << row.dump() << std::endl;
}

// Runs one iteration for Google Benchmark and sets its time to the median of the fused samples.
void run(benchmark::State& state, Bench& bench, const Workload& w, bool cold) {
  try {
    if (cold) bench.require_cold();
    const Contest contest = w.prepare(bench.device);
    check(bench, contest);
    const Rounds rounds = sample(bench, contest, cold);
    for (auto _ : state) state.SetIterationTime(statistics_of(rounds.seconds.back()).median);
    report(state, bench, w, contest, rounds, cold);
    write_samples(bench.samples, w.name() + (cold ? "/cold" : "/warm"), rounds);
  } catch (const Error& error) {  // usually the device is out of memory
    state.SkipWithError(error.what());
  }
  release_unused_memory(bench.device);
}

// Returns the reason why a workload cannot run here, or an empty string if it can.
std::string obstacle(const Bench& bench, const Workload& w) {
  constexpr double kLongest = 3;   // seconds for one run
  constexpr double kTensors = 16;  // tensors that an unfused implementation may keep
  const double needed = 4 * kTensors * w.elements;
  const double there =
      0.6 * static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bench.device.is_cpu() && needed > there)
    return fmt::format("needs about {:.1f} GiB of memory, {:.1f} GiB are available", needed / (1 << 30),
                       there / (1 << 30));
  constexpr double kOfMatmul = 30;  // approximate speed of matrix products relative to other kernels
  const double rate = bench.ceilings.matmul_flops / (w.operation == "linear" ? 1 : kOfMatmul);
  const double seconds = w.flops / rate + 6 * w.bytes / bench.ceilings.copy_bytes;
  const double longest = bench.options.quick ? kLongest / 10 : kLongest;
  if (seconds > longest)
    return fmt::format("one run would take about {:.1f} s, the limit is {:.1f} s", seconds, longest);
  return "";
}

void register_all(Bench& bench, const std::vector<Workload>& workloads) {
  for (const Workload& w : workloads) {
    if (w.large && !bench.options.large) continue;
    if (const std::string why = obstacle(bench, w); !why.empty()) {
      std::fprintf(stderr, "skipped %s: %s\n", w.name().c_str(), why.c_str());
      continue;
    }
    for (const bool cold : {false, true})
      benchmark::RegisterBenchmark((w.name() + (cold ? "/cold" : "/warm")).c_str(),
                                   [&bench, &w, cold](benchmark::State& s) { run(s, bench, w, cold); })
          ->UseManualTime()
          ->Iterations(1)
          ->Unit(benchmark::kMicrosecond);
  }
}

void add_context(const Bench& bench) {
  const auto add = [](const char* key, const std::string& value) { benchmark::AddCustomContext(key, value); };
  add("device", bench.device.text());
  add("device_description", bench.device.description());
  add("copy_bytes_per_second", fmt::format("{:.4g}", bench.ceilings.copy_bytes));
  add("matmul_flops_per_second", fmt::format("{:.4g}", bench.ceilings.matmul_flops));
  add("compiler", GPUVAE_COMPILER);
}

void choose_defaults(Options& o, Device device) {
  const bool cpu = device.is_cpu();
  if (o.most_elements <= 0) o.most_elements = o.quick ? (cpu ? 1 << 20 : 1 << 26) : (cpu ? 1 << 26 : 1 << 28);
  if (o.budget <= 0) o.budget = o.quick ? 0.2 : 2;
}

// Opens the file of the samples.
void prepare(Bench& bench) {
  const std::string& path = bench.options.samples;
  if (path.empty()) return;
  bench.samples.open(path);
  if (!bench.samples)
    throw Error("gpuvae_bench", fmt::format("expected a file that can be written, got {}", path));
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times every fused operation and its unfused implementation.", "gpuvae_bench");
  app.allow_extras();
  app.add_option("--device", options.device, "device: auto (a GPU if there is one), cpu, cuda or cuda:N")
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "measure smaller sizes with fewer samples, in under two minutes");
  app.add_flag("!--no-large", options.large, "measure the presets' sizes only");
  app.add_option("--most-elements", options.most_elements,
                 "largest number of elements of a tensor; 0 means 2^26 on the CPU and 2^28 on CUDA");
  app.add_option("--budget", options.budget,
                 "largest number of seconds per benchmark; 0 means 2, or 0.2 with --quick");
  app.add_option("--flush-mib", options.flush_mib,
                 "MiB written to empty the caches; 0 means 3 x the L3 cache on the CPU and 512 on CUDA");
  app.add_option("--samples", options.samples,
                 "file for the samples of all rounds, one JSON object per line (default: no file)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  std::vector<std::string> rest = app.remaining();
  rest.insert(rest.begin(), argv[0]);
  rest.push_back("--benchmark_counters_tabular=true");
  std::vector<char*> arguments;
  for (std::string& r : rest) arguments.push_back(r.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  return apps::run_guarded("gpuvae_bench", [&] {
    check_clock();
    const Device device = Device::parse(options.device);
    choose_defaults(options, device);
    const auto at_most = static_cast<std::int64_t>(options.most_elements);
    const std::int64_t side = device.is_cpu() ? 1536 : 4096,
                       copied = std::int64_t{1} << (device.is_cpu() ? 25 : 28);
    const Ceilings ceilings = measure_ceilings(device, std::min(copied, 4 * at_most),
                                               std::min(side, static_cast<std::int64_t>(std::sqrt(at_most))));
    std::fprintf(stderr, "%s: %s\nceilings: copy %.1f GB/s, f32 matrix product %.1f Gflop/s\n",
                 device.text().c_str(), device.description().c_str(), ceilings.copy_bytes * 1e-9,
                 ceilings.matmul_flops * 1e-9);
    Bench bench{device, options, ceilings, Stopwatch(device, options.flush_mib << 20), {}, {}};
    prepare(bench);
    const std::vector<Workload> workloads = all_workloads(options.most_elements);
    add_context(bench);
    register_all(bench, workloads);
    benchmark::RunSpecifiedBenchmarks();
  });
}

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) { return gpuvae::bench::main(argc, argv); }
