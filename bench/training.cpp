#include "bench/training.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "apps/cli/presets.h"
#include "bench/bare_products.h"
#include "bench/observers.h"
#include "bench/rounds.h"
#include "bench/stopwatch.h"
#include "gpuvae/threads.h"

namespace gpuvae::bench {
namespace {

// The importance-weighted autoencoder of Burda et al., 2015, with one stochastic layer, on some of the
// images.
apps::RunConfig iwae_config() {
  apps::RunConfig c;
  c.model.encoder_widths = {200, 200};
  c.model.latent = 50;
  c.model.activation = Activation::tanh;
  c.training.data.binarize = Binarize::dynamic;
  c.training.batch_size = 20;
  c.training.objective = {.kind = ObjectiveKind::iwae, .samples = 50};
  c.data.train_images = 10'000;
  c.data.validation_images = 1000;
  return c;
}

apps::RunConfig config_of(const System& system) {
  if (std::string(system.name) == "iwae-50") return iwae_config();
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

  // Trains for one epoch and returns its seconds per step. Throws Error if the parameters did not change.
  double timed_step(Training& training) const {
    const Tensor bias = training.model.parameters().back().variable.value();
    const std::vector<double> before = bias.to_doubles();
    const double seconds = wall_seconds(bias.device(), [&] { training.trainer.run_epoch(); });
    const std::vector<double> after = bias.to_doubles();
    if (before == after)
      throw Error("train_bench",
                  "expected an epoch to change the parameters, got equal ones: no step was taken");
    return seconds / static_cast<double>(steps_);
  }

  // Measures training steps and bare products in rounds, and returns the steps' medians in microseconds.
  std::vector<double> time_steps() {
    const auto trainings = warmed_up();
    if (trainings.empty()) return {};
    const Device device = trainings[0]->model.device();
    const BareProducts products(trainings[0]->model, config_.training.batch_size,
                                config_.training.objective.draws());
    const Body all_products = [&] {
      for (std::int64_t i = 0; i < steps_; ++i) products.run();
    };
    std::vector<Timer> sides{
        [&] { return wall_seconds(device, all_products) / static_cast<double>(steps_); }};
    for (const auto& training : trainings) sides.emplace_back([&] { return timed_step(*training); });
    for (const Timer& side : sides) side();
    const Rounds rounds = run_rounds(sides, {.most = options_.rounds, .budget = options_.step_budget});
    std::vector<double> medians;
    for (std::size_t i = 0; i < trainings.size(); ++i) {
      report_step(*chosen_[i], products.count(), rounds, i + 1);
      medians.push_back(statistics_of(rounds.seconds[i + 1]).median * 1e6);
    }
    return medians;
  }

  // Side 0 of the rounds are the bare products.
  void report_step(const Executor& e, std::size_t products, const Rounds& rounds, std::size_t side) {
    const Statistics step = in_microseconds(rounds.seconds[side]), bare = in_microseconds(rounds.seconds[0]);
    const std::vector<double> all_ratios = rounds.ratios(side, 0);
    const Statistics ratio = statistics_of(all_ratios);
    const std::optional<Interval> interval = median_interval(all_ratios);
    const char* verdict = name(rounds.compare(0, side).verdict);
    nlohmann::json row = row_of("step", system_, e.name);
    const double images = static_cast<double>(config_.training.batch_size) / step.median * 1e6;
    row.update({{"batch", config_.training.batch_size},
                {"optimizer", std::string(gpuvae::name(config_.optimizer.kind))},
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
                {"verdict", verdict},
                {"disturbed", rounds.disturbed()},
                {"rounds", step.samples},
                {"steps", steps_},
                {"images_per_second", images},
                {"real_data", data_.real},
                {"samples",
                 {{"step_seconds", rounds.seconds[side]},
                  {"bare_seconds", rounds.seconds[0]},
                  {"machine", rounds.machine_json()}}}});
    if (interval) row["ratio_interval"] = {interval->low, interval->high};
    if (side > 1 && std::string(chosen_[0]->name) == kExecutors[0].name) add_eager(row, rounds, side);
    out_.row(row);
    const std::string range =
        interval ? fmt::format("{:.3f}-{:.3f}", interval->low, interval->high) : "no interval";
    out_.say(
        "| {} | {} | {} | {} | {:.0f} ({:.0f}-{:.0f}) | {:.0f} | {:.3f} ({}) | {} | {} of {} | {:.0f} |\n",
        system_.name, e.name, gpuvae::name(config_.optimizer.kind), num_threads(), step.median, step.low,
        step.high, bare.median, ratio.median, range, verdict, rounds.disturbed(), rounds.count(), images);
  }

  // Adds the comparison of another executor with the eager one, which is side 1.
  static void add_eager(nlohmann::json& row, const Rounds& rounds, std::size_t side) {
    const Comparison c = rounds.compare(1, side);
    row["eager_ratio"] = c.ratio;
    if (c.interval) row["eager_ratio_interval"] = {c.interval->low, c.interval->high};
    row["eager_verdict"] = name(c.verdict);
  }

  static Statistics in_microseconds(std::vector<double> seconds) {
    for (double& s : seconds) s *= 1e6;
    return statistics_of(std::move(seconds));
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
