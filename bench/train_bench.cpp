// Training, as the presets have it, with every executor that can run here: microseconds a step beside the
// bare matrix products of the same step, seconds an epoch, images a second, the time to the published
// validation loss, and where an eager step's time goes. Executors and products are timed in turns within one
// run, so that a noisy machine disturbs all alike; medians and 10th to 90th percentiles. A table on stdout,
// JSON lines in --out.
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/common/presets.h"
#include "apps/common/program.h"
#include "bench/bare_products.h"
#include "bench/observed_backend.h"
#include "bench/stopwatch.h"
#include "gpuvae/error.h"
#include "src/core/backend_guard.h"

namespace gpuvae::bench {
namespace {

// How a training step is run: one line each.
struct Executor {
  const char* name;
  void (*choose)(TrainOptions&);
};
constexpr Executor kExecutors[] = {
    {"eager", [](TrainOptions&) {}},
};

// The presets, and the validation loss that a run must reach: the upper end of the published or measured band
// after the preset's epochs, as in bench/reproduce (a single figure widened by 0.2 %). 0: none is known.
struct System {
  const char* name;
  bool frey;
  double target;
};
constexpr System kSystems[] = {
    {"default", false, 0},        {"keras-mnist", false, 166.5},  {"tf-mnist", false, 91.4},
    {"flex-mnist", false, 154.0}, {"theano-mnist", false, 159.9}, {"keras-frey", true, 0.642},
    {"flex-frey", true, -536},
};

struct Options {
  std::string device = "auto", data_dir, out, optimizer;
  std::vector<std::string> presets, executors;
  int rounds = 31, threads = 0;
  std::int64_t steps = 0;
  double epoch_budget = 60;
  bool quick = false, to_loss = true, probe = false;
};

class Output {
 public:
  explicit Output(const std::string& path) {
    if (path.empty()) return;
    file_.open(path);
    if (!file_) throw Error("write", fmt::format("expected to write {}, cannot", path));
  }
  void row(const nlohmann::json& row) {
    if (file_.is_open()) file_ << row.dump() << std::endl;
  }
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... values) {
    fmt::print(format, std::forward<T>(values)...);
    std::fflush(stdout);
  }

 private:
  std::ofstream file_;
};

apps::RunConfig config_of(const System& system) {
  for (const apps::Preset& p : system.frey ? apps::frey_presets() : apps::mnist_presets())
    if (p.name == system.name) return p.config;
  throw Error("train_bench", fmt::format("expected a preset, got {}", system.name));
}

struct Data {
  ImageSet train, validation;
  bool real = false;
};
Data load(const System& system, const apps::RunConfig& c, const Options& o, Device device) {
  const char* environment = std::getenv("GPUVAE_DATA_DIR");
  const std::string folder = !o.data_dir.empty() ? o.data_dir : environment ? environment : "data";
  Data data;
  data.real = system.frey ? has_frey(folder) : has_mnist(folder);
  const Split split = system.frey ? (data.real ? load_frey(folder) : procedural_frey())
                                  : (data.real ? load_mnist(folder) : procedural_mnist());
  const std::int64_t n =
      c.train_images > 0 ? std::min(c.train_images, split.train.count()) : split.train.count();
  data.train = split.train.slice(0, n).to(device);
  const ImageSet rest =
      c.validation_set == "rest" ? split.train.slice(n, split.train.count() - n) : split.test;
  data.validation = (c.validation_images > 0 ? rest.slice(0, c.validation_images) : rest).to(device);
  return data;
}

// A model of a preset in training.
struct Training {
  Vae model;
  Optimizer optimizer;
  Trainer trainer;

  Training(const apps::RunConfig& c, const Executor& executor, const ImageSet& train,
           const ImageSet& validation)
      : model(c.model(train.pixels()), train.images.device()),
        optimizer(model.parameters(), c.optimizer),
        trainer(model, optimizer, train, validation, options(c, executor)) {}

  static TrainOptions options(const apps::RunConfig& c, const Executor& executor) {
    TrainOptions o = c.training();
    executor.choose(o);
    return o;
  }
};

nlohmann::json row_of(const char* kind, const System& system, const char* executor) {
  return {{"kind", kind}, {"preset", system.name}, {"executor", executor}};
}

// One preset on one device.
class Measurement {
 public:
  Measurement(const System& system, const Options& o, Device device, Output& out)
      : system_(system),
        options_(o),
        out_(out),
        config_(config_of(system)),
        data_(load(system, config_, o, device)) {
    for (int kind = 0; kind <= static_cast<int>(OptimizerKind::adamw); ++kind)
      if (name(OptimizerKind(kind)) == o.optimizer)
        config_.optimizer = OptimizerOptions::defaults(OptimizerKind(kind));
    steps_ = std::min(o.steps > 0       ? o.steps
                      : device.is_cpu() ? 20
                                        : 600,
                      data_.train.count() / config_.batch_size);
  }

  void run() {
    const std::vector<double> microseconds = time_steps();
    for (std::size_t i = 0; i < chosen_.size(); ++i) time_epochs(*chosen_[i], microseconds[i]);
    break_down();
  }

 private:
  ImageSet some_images() const { return data_.train.slice(0, steps_ * config_.batch_size); }
  ImageSet no_images() const { return data_.validation.slice(0, 0); }

  // Beside the table, not in it.
  template <class... T>
  static void skip(fmt::format_string<T...> format, T&&... values) {
    fmt::print(stderr, format, std::forward<T>(values)...);
  }

  bool is_wanted(const Executor& e) const {
    const auto& names = options_.executors;
    return names.empty() || std::find(names.begin(), names.end(), e.name) != names.end();
  }

  // Trainings with the executors that can run here, after their first epoch.
  std::vector<std::unique_ptr<Training>> warmed_up() {
    std::vector<std::unique_ptr<Training>> trainings;
    for (const Executor& e : kExecutors) {
      if (!is_wanted(e)) continue;
      try {
        auto training = std::make_unique<Training>(config_, e, some_images(), no_images());
        for (int i = 0; i < 3; ++i) training->trainer.run_epoch();
        trainings.push_back(std::move(training));
        chosen_.push_back(&e);
      } catch (const Error& error) {
        skip("skipped {} with {}: {}\n", system_.name, e.name, error.what());
      }
    }
    return trainings;
  }

  // Steps and bare products in turns; the medians of the former, in microseconds.
  std::vector<double> time_steps() {
    const auto trainings = warmed_up();
    if (trainings.empty()) return {};
    const Device device = trainings[0]->model.device();
    const BareProducts products(trainings[0]->model, config_.batch_size);
    const double per_step = 1e6 / static_cast<double>(steps_);
    std::vector<std::vector<double>> times(trainings.size()), ratios(trainings.size());
    std::vector<double> bare;
    for (int round = -1; round < options_.rounds; ++round) {
      const double b = per_step * wall_seconds(device, [&] {
                         for (std::int64_t i = 0; i < steps_; ++i) products.run();
                       });
      if (round >= 0) bare.push_back(b);
      for (std::size_t i = 0; i < trainings.size(); ++i) {
        const double t = per_step * wall_seconds(device, [&] { trainings[i]->trainer.run_epoch(); });
        if (round >= 0) times[i].push_back(t), ratios[i].push_back(t / b);
      }
    }
    std::vector<double> medians;
    for (std::size_t i = 0; i < trainings.size(); ++i) {
      report_step(*chosen_[i], products.count(), statistics_of(times[i]), statistics_of(bare),
                  statistics_of(ratios[i]));
      medians.push_back(statistics_of(times[i]).median);
    }
    return medians;
  }

  void report_step(const Executor& e, std::size_t products, const Statistics& step, const Statistics& bare,
                   const Statistics& ratio) {
    nlohmann::json row = row_of("step", system_, e.name);
    const double images = static_cast<double>(config_.batch_size) / step.median * 1e6;
    row.update({{"batch", config_.batch_size},
                {"optimizer", std::string(name(config_.optimizer.kind))},
                {"threads", omp_get_max_threads()},
                {"us", step.median},
                {"low", step.low},
                {"high", step.high},
                {"bare_us", bare.median},
                {"bare_low", bare.low},
                {"bare_high", bare.high},
                {"products", products},
                {"ratio", ratio.median},
                {"ratio_low", ratio.low},
                {"ratio_high", ratio.high},
                {"rounds", step.samples},
                {"steps", steps_},
                {"images_per_second", images}});
    out_.row(row);
    out_.say("| {} | {} | {} | {} | {:.0f} ({:.0f}-{:.0f}) | {:.0f} | {:.2f} ({:.2f}-{:.2f}) | {:.0f} |\n",
             system_.name, e.name, name(config_.optimizer.kind), omp_get_max_threads(), step.median, step.low,
             step.high, bare.median, ratio.median, ratio.low, ratio.high, images);
  }

  // Whole epochs from the start, up to the published loss where that is wanted and the time suffices.
  void time_epochs(const Executor& e, double microseconds) {
    Training training(config_, e, data_.train, data_.validation);
    const double predicted = microseconds * 1e-6 * static_cast<double>(training.trainer.steps_per_epoch());
    const bool to_loss = options_.to_loss && data_.real && system_.target != 0 &&
                         1.3 * predicted * config_.epochs < options_.epoch_budget;
    if (predicted > options_.epoch_budget)
      return skip("skipped an epoch of {}: {:.0f} s\n", system_.name, predicted);
    const int affordable = std::max(1, static_cast<int>(options_.epoch_budget / predicted));
    const int epochs = to_loss ? config_.epochs * 3 / 2 : std::min(3, affordable);
    std::vector<double> seconds, validation;
    double total = 0;
    nlohmann::json row = row_of("epoch", system_, e.name);
    for (int epoch = 1; epoch <= epochs; ++epoch) {
      const EpochResult r = training.trainer.run_epoch();
      seconds.push_back(r.train_seconds), validation.push_back(r.validation_seconds);
      total += r.train_seconds + r.validation_seconds;
      row["last_validation_loss"] = r.validation.loss;
      if (!to_loss || r.validation.loss > system_.target) continue;
      row.update({{"epochs_to_loss", epoch}, {"seconds_to_loss", total}});
      break;
    }
    const Statistics s = statistics_of(seconds);
    row.update({{"seconds", s.median},
                {"low", s.low},
                {"high", s.high},
                {"epochs", s.samples},
                {"validation_seconds", statistics_of(validation).median},
                {"real_data", data_.real},
                {"images_per_second", static_cast<double>(training.trainer.images_per_epoch()) / s.median}});
    if (to_loss) row["target_validation_loss"] = system_.target;
    out_.row(row);
    epochs_.push_back(row);
  }

  // What the calls of an eager step take, one at a time; the rest is the host's, and on CUDA the gaps between
  // kernels.
  void break_down() {
    const Device device = data_.train.images.device();
    TimingBackend timing(device.backend(), device.is_cpu());
    Training training(config_, kExecutors[0], some_images(), no_images());
    training.trainer.run_epoch();
    double total = 0;
    {
      const BackendGuard guard(device, timing);
      total = wall_seconds(device, [&] { training.trainer.run_epoch(); });
    }
    const double per_step = 1e6 / static_cast<double>(steps_);
    double sum = 0;
    for (const auto& [name, share] : timing.shares()) {
      nlohmann::json row = row_of("breakdown", system_, kExecutors[0].name);
      const double steps = static_cast<double>(steps_);
      row.update({{"call", name},
                  {"us", share.seconds * per_step},
                  {"calls", share.calls / steps},
                  {"bytes", share.bytes / steps},
                  {"flops", share.flops / steps}});
      out_.row(row);
      sum += share.seconds;
    }
    nlohmann::json rest = row_of("breakdown", system_, kExecutors[0].name);
    rest.update({{"call", "rest"}, {"us", std::max(0.0, total - sum) * per_step}});
    out_.row(rest);
  }

 public:
  const std::vector<nlohmann::json>& epochs() const { return epochs_; }

 private:
  const System& system_;
  const Options& options_;
  Output& out_;
  apps::RunConfig config_;
  Data data_;
  std::int64_t steps_ = 0;
  std::vector<const Executor*> chosen_;
  std::vector<nlohmann::json> epochs_;
};

void print_epochs(Output& out, const std::vector<nlohmann::json>& rows) {
  out.say(
      "\n| preset | executor | s an epoch | validation, s | images/s | to the published loss "
      "|\n|---|---|---|---|---|---|\n");
  for (const nlohmann::json& r : rows) {
    std::string reached = "not asked for";
    if (r.contains("seconds_to_loss"))
      reached = fmt::format("{:.2f} s, {} epochs", r["seconds_to_loss"].get<double>(),
                            r["epochs_to_loss"].get<int>());
    else if (r.contains("target_validation_loss"))
      reached = fmt::format("not in {} epochs: {:.4g}", r["epochs"].get<int>(),
                            r["last_validation_loss"].get<double>());
    out.say("| {} | {} | {:.4g} ({:.4g}-{:.4g}) | {:.4g} | {:.0f} | {} |\n", r["preset"].get<std::string>(),
            r["executor"].get<std::string>(), r["seconds"].get<double>(), r["low"].get<double>(),
            r["high"].get<double>(), r["validation_seconds"].get<double>(),
            r["images_per_second"].get<double>(), reached);
  }
}

void measure(const Options& o) {
  if (o.threads > 0) omp_set_num_threads(o.threads);
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
           {"threads", omp_get_max_threads()}});
  out.say("{}: {}; medians (10th-90th percentile) of {} rounds, steps and products in turns\n\n",
          device.text(), device.description(), o.rounds);
  out.say(
      "| preset | executor | optimiser | threads | step, us | bare products, us | ratio | images/s |\n"
      "|---|---|---|---|---|---|---|---|\n");
  std::vector<nlohmann::json> epochs;
  for (const System& system : kSystems) {
    const auto& names = o.presets;
    if (!names.empty() && std::find(names.begin(), names.end(), system.name) == names.end()) continue;
    Measurement m(system, o, device, out);
    m.run();
    epochs.insert(epochs.end(), m.epochs().begin(), m.epochs().end());
  }
  print_epochs(out, epochs);
}

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Training steps, epochs and times to the published losses, by preset and executor.",
               "train_bench");
  std::vector<std::string> presets, executors, optimizers;
  for (const System& s : kSystems) presets.push_back(s.name);
  for (const Executor& e : kExecutors) executors.push_back(e.name);
  for (int k = 0; k <= static_cast<int>(OptimizerKind::adamw); ++k)
    optimizers.emplace_back(name(OptimizerKind(k)));
  app.add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--presets", o.presets, "those alone")->delimiter(',')->check(CLI::IsMember(presets));
  app.add_option("--executors", o.executors, "those alone")->delimiter(',')->check(CLI::IsMember(executors));
  app.add_option("--optimizer", o.optimizer, "in the place of the preset's")
      ->check(CLI::IsMember(optimizers));
  app.add_option("--rounds", o.rounds, "of steps and products in turns")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "of a round; 0: 20 on the CPU, 600 on CUDA")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", o.threads, "of OpenMP; 0: its own choice")->check(CLI::NonNegativeNumber);
  app.add_option("--epoch-budget", o.epoch_budget, "seconds for whole epochs of a preset")
      ->capture_default_str();
  app.add_flag("!--no-loss", o.to_loss, "no runs to the published losses");
  app.add_option("--data-dir", o.data_dir,
                 "of MNIST and Frey Face; else $GPUVAE_DATA_DIR, data/, or built-in data");
  app.add_option("--out", o.out, "JSON lines");
  app.add_flag("--probe", o.probe, "only say which device this is");
  app.add_flag("--quick", o.quick, "7 rounds and at most 6 seconds of whole epochs of a preset");
  CLI11_PARSE(app, argc, argv);
  if (o.quick) o.rounds = std::min(o.rounds, 7), o.epoch_budget = std::min(o.epoch_budget, 6.0);
  return apps::run_guarded("train_bench", [&] { measure(o); });
}

}  // namespace
}  // namespace gpuvae::bench

int main(int argc, char** argv) {
  gpuvae::apps::calm_openmp(argv);  // as the programs run
  return gpuvae::bench::main(argc, argv);
}
