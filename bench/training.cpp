#include "bench/training.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "apps/cli/presets.h"
#include "bench/bare_products.h"
#include "bench/observers.h"
#include "bench/stopwatch.h"
#include "gpuvae/threads.h"

namespace gpuvae::bench {
namespace {

apps::RunConfig config_of(const System& system) {
  for (const apps::Preset& p : system.frey ? apps::frey_presets() : apps::mnist_presets())
    if (p.name == system.name) return p.config;
  throw Error("train_bench", fmt::format("expected the name of a preset, got {}", system.name));
}

struct Data {
  Dataset train, validation;
  bool real = false;
};
Data load(const System& system, const apps::RunConfig& c, const TrainingOptions& o, Device device) {
  const char* environment = std::getenv("GPUVAE_DATA_DIR");
  const std::string folder = !o.data_dir.empty() ? o.data_dir : environment ? environment : "data";
  Data data;
  data.real = system.frey ? has_frey(folder) : has_mnist(folder);
  const Split split = system.frey ? (data.real ? load_frey(folder) : procedural_frey())
                                  : (data.real ? load_mnist(folder) : procedural_mnist());
  const std::int64_t n =
      c.data.train_images > 0 ? std::min(c.data.train_images, split.train.count()) : split.train.count();
  data.train = split.train.slice(0, n).to(device);
  const Dataset rest =
      c.data.validation_set == "rest" ? split.train.slice(n, split.train.count() - n) : split.test;
  data.validation =
      (c.data.validation_images > 0 ? rest.slice(0, c.data.validation_images) : rest).to(device);
  return data;
}

// A model of a preset, with its optimiser and trainer.
struct Training {
  Vae model;
  Optimizer optimizer;
  Trainer trainer;

  Training(const apps::RunConfig& c, const Executor& executor, const Dataset& train,
           const Dataset& validation)
      : model(c.vae_options(train.features()), train.examples.device()),
        optimizer(model.parameters(), c.optimizer),
        trainer(model, optimizer, train, validation, options(c, executor, train.count())) {}

  static TrainOptions options(const apps::RunConfig& c, const Executor& executor, std::int64_t images) {
    TrainOptions o = c.train_options(images);
    executor.choose(o);
    return o;
  }
};

nlohmann::json row_of(const char* kind, const System& system, const char* executor) {
  return {{"kind", kind}, {"preset", system.name}, {"executor", executor}};
}

// The measurements of one preset on one device.
class Measurement {
 public:
  Measurement(const System& system, const TrainingOptions& o, Device device, Output& out)
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
                      data_.train.count() / config_.training.batch_size);
  }

  // Measures steps, then returns the rows of whole epochs.
  std::vector<nlohmann::json> run() {
    const std::vector<double> microseconds = time_steps();
    for (std::size_t i = 0; i < chosen_.size(); ++i) time_epochs(*chosen_[i], microseconds[i]);
    break_down();
    return epochs_;
  }

 private:
  Dataset some_images() const { return data_.train.slice(0, steps_ * config_.training.batch_size); }
  Dataset no_images() const { return data_.validation.slice(0, 0); }

  // Prints to stderr, so that the table stays clean.
  template <class... T>
  static void skip(fmt::format_string<T...> format, T&&... values) {
    fmt::print(stderr, format, std::forward<T>(values)...);
  }

  bool is_wanted(const Executor& e) const {
    const auto& names = options_.executors;
    return names.empty() || std::find(names.begin(), names.end(), e.name) != names.end();
  }

  // Returns trainings with the executors that can run here, after their first epochs.
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

  // Measures training steps and bare products alternately, and returns the steps' medians in microseconds.
  std::vector<double> time_steps() {
    const auto trainings = warmed_up();
    if (trainings.empty()) return {};
    const Device device = trainings[0]->model.device();
    const BareProducts products(trainings[0]->model, config_.training.batch_size);
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
    const double images = static_cast<double>(config_.training.batch_size) / step.median * 1e6;
    row.update({{"batch", config_.training.batch_size},
                {"optimizer", std::string(name(config_.optimizer.kind))},
                {"threads", num_threads()},
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
             system_.name, e.name, name(config_.optimizer.kind), num_threads(), step.median, step.low,
             step.high, bare.median, ratio.median, ratio.low, ratio.high, images);
  }

  // Trains a new model for whole epochs and measures them: up to three epochs, or until the published loss is
  // reached if that is requested and fits --epoch-budget.
  void time_epochs(const Executor& e, double microseconds) {
    Training training(config_, e, data_.train, data_.validation);
    const double predicted = microseconds * 1e-6 * static_cast<double>(training.trainer.steps_per_epoch());
    const bool to_loss = options_.to_loss && data_.real && system_.target != 0 &&
                         1.3 * predicted * config_.epochs < options_.epoch_budget;
    if (predicted > options_.epoch_budget)
      return skip("skipped the epochs of {}: one would take {:.0f} s, which exceeds --epoch-budget\n",
                  system_.name, predicted);
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

  // Measures the calls of an eager step one by one. The remaining time is that of the host and, on CUDA, of
  // the gaps between kernels.
  void break_down() {
    const Device device = data_.train.examples.device();
    TimingObserver timing(device.backend(), device.is_cpu());
    Training training(config_, kExecutors[0], some_images(), no_images());
    training.trainer.run_epoch();
    double total = 0;
    {
      const ObserverScope observed(device.backend(), timing);
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

  const System& system_;
  const TrainingOptions& options_;
  Output& out_;
  apps::RunConfig config_;
  Data data_;
  std::int64_t steps_ = 0;
  std::vector<const Executor*> chosen_;
  std::vector<nlohmann::json> epochs_;
};

}  // namespace

std::vector<nlohmann::json> measure_training(const System& system, const TrainingOptions& options,
                                             Device device, Output& out) {
  return Measurement(system, options, device, out).run();
}

}  // namespace gpuvae::bench
