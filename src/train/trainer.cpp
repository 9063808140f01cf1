#include <algorithm>
#include <chrono>
#include <cmath>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/enumerators.h"
#include "kernels/log.h"
#include "kernels/ranges.h"
#include "src/train/autograd_step.h"
#include "src/train/executor.h"
#include "src/train/fused_step.h"
#include "src/train/objective_checks.h"
#include "src/train/rewind.h"
#include "src/train/seconds.h"
#include "src/train/streams.h"

namespace gpuvae {
namespace {

// Marks a training call, during which callbacks must not train.
class Training {
 public:
  explicit Training(bool& flag) : flag_(flag) {
    check(!flag, "train", "expected no training inside a callback of the same trainer");
    flag_ = true;
  }
  ~Training() { flag_ = false; }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

 private:
  bool& flag_;
};

void check_belongs(const Vae& model, const Optimizer& optimizer) {
  check(optimizer.variable_count() > 0, "train",
        "expected an optimiser with parameters, got one that was moved from");
  std::size_t updated = 0;
  for (const Parameter& p : model.parameters()) updated += optimizer.updates(p.variable);
  check(updated == optimizer.variable_count(), "train",
        "expected an optimiser of this model's parameters, got one of {} variables, {} of which belong to "
        "the model",
        optimizer.variable_count(), updated);
}

}  // namespace

std::int64_t steps_per_epoch(const TrainOptions& options, std::int64_t images) {
  check(options.batch_size > 0, "train", "expected a batch size of 1 or more, got {}", options.batch_size);
  const bool ragged = images % options.batch_size != 0 && !options.drop_last;
  return images / options.batch_size + ragged;
}

Trainer::Trainer(const Vae& model, Optimizer& optimizer, Dataset train, Dataset validation,
                 const TrainOptions& options)
    : model_(model),
      optimizer_(optimizer),
      train_(std::move(train)),
      validation_(std::move(validation)),
      options_(options) {
  check(options.batch_size > 0, "train", "expected a batch size of 1 or more, got {}", options.batch_size);
  check_enumerator("train", "executor", options.executor);
  check_enumerator("train", "on_nan", options.on_nan);
  check(options.warmup_epochs >= 0 && options.free_bits >= 0, "train",
        "expected warm-up epochs and free bits of 0 or more, got {} and {}", options.warmup_epochs,
        options.free_bits);
  check(options.report_steps > 0, "train", "expected 1 or more steps between reports, got {}",
        options.report_steps);
  check(options.validation_batch > 0, "train", "expected a validation batch of 1 or more, got {}",
        options.validation_batch);
  check(train_.defined(), "train", "expected training examples, got none");
  check(std::isfinite(options.beta), "train", "expected a finite beta, got {}", options.beta);
  const std::int64_t columns = example_columns(model.options());
  check(!validation_.defined() || validation_.features() == columns, "train",
        "expected validation examples of {} features, got {}", columns,
        validation_.defined() ? validation_.features() : 0);
  check(train_.features() == columns, "train", "expected examples of {} features, got {}", columns,
        train_.features());
  check(train_.device() == model.device(), "train", "expected the examples on {}, got {}", model.device(),
        train_.source ? train_.device().text() : train_.examples.text());
  check_belongs(model, optimizer);
  check(options.patience >= 0, "train", "expected a patience of 0 or more epochs, got {}", options.patience);
  check(!keeps_best() || (validation_.defined() && validation_.count() > 0), "train",
        "expected validation examples to compare epochs with, got none");
  if (options.average.decay != 0) average_.emplace(optimizer, options.average);
  check_objective_options(model, options);
  // Rank 0 alone reads the losses for reports, so that it alone would go back within an epoch.
  check(!options.communicator || options.on_nan != OnNan::rewind, "train",
        "expected on_nan stop or skip with several ranks, got rewind");
  check(!options.communicator || options.free_bits == 0, "train",
        "expected no free bits with several ranks, got {}", options.free_bits);
  check(
      !options.communicator || options.executor == Executor::automatic || options.executor == Executor::eager,
      "train", "expected the executor eager with several ranks, got {}", name(options.executor));
  steps_per_epoch_ = static_cast<std::uint64_t>(gpuvae::steps_per_epoch(options, train_.count()));
  check(steps_per_epoch_ > 0, "train", "expected at least one batch of {}, got {} images", options.batch_size,
        train_.count());
  check(options.report_seconds >= 0, "train", "expected 0 or more seconds between reports, got {}",
        options.report_seconds);
  state_ = new_run_state(model.device());
  if (options_.schedule)
    factors_ = Tensor::empty({static_cast<std::int64_t>(steps_per_epoch_)}, DType::f64, model.device());
  const std::int64_t full = train_.count() / options.batch_size;
  const auto between = std::max<std::uint64_t>(
      1, reports_wait() ? static_cast<std::uint64_t>(full)
                        : static_cast<std::uint64_t>(std::min(full, options.report_steps)));
  executor_ = std::make_unique<StepExecutor>(
      choose_step(), options.communicator ? Executor::eager : options.executor, between);
  log_message(LogLevel::info, "train", "{} steps per epoch on {}, executor {}", steps_per_epoch_,
              model.device(), executor());
}

ChosenStep Trainer::choose_step() {
  const Executor asked = options_.communicator ? Executor::eager : options_.executor;
  const bool cuda = !model_.device().is_cpu();
  ChosenStep step;
  if (cuda && (asked == Executor::automatic || asked == Executor::fused)) {
    step.why = FusedStep::why_not(model_, optimizer_, train_, options_);
    check(asked != Executor::fused || step.why.empty(), "train",
          "expected a model that the fused executor supports, but {}", step.why);
    if (step.why.empty()) {
      step.body = std::make_unique<FusedStep>(model_, optimizer_, train_, options_);
      step.name = "fused";
      return step;
    }
  }
  step.body = std::make_unique<AutogradStep>(model_, optimizer_, train_, options_);
  return step;
}

std::int64_t Trainer::images_per_epoch() const {
  return std::min(train_.count(), static_cast<std::int64_t>(steps_per_epoch_) * options_.batch_size);
}

Trainer::~Trainer() = default;

std::string Trainer::executor() const { return executor_->text(); }

bool Trainer::reports_wait() const { return !model_.device().is_cpu() && options_.report_seconds > 0; }

// Returns the current stream or, for captures, which the default stream does not support, a stream of the
// trainer.
Stream Trainer::training_stream() {
  const Stream current = Stream::current(model_.device());
  if (!executor_->captures() || current.handle()) return current;
  if (!stream_) stream_ = Stream(model_.device());
  return *stream_;
}

double Trainer::factor(std::uint64_t step) const {
  const double value = options_.schedule ? options_.schedule(step) : 1;
  check(value >= 0 && std::isfinite(value), "train",
        "expected a finite factor of 0 or more from the schedule at step {}, got {}", step, value);
  return value;
}

double Trainer::learning_rate(std::uint64_t step) const { return optimizer_.learning_rate() * factor(step); }

// Writes the schedule's factors for the next `steps` steps of an epoch to factors_, in which update number i
// reads element i modulo the size. Skipped steps make no update, so the schedule does not count them.
void Trainer::write_factors(std::uint64_t steps) {
  if (!factors_) return;
  const std::uint64_t updates = optimizer_.steps();
  std::vector<double> factors(steps_per_epoch_);
  const std::uint64_t made = step_ - skipped_steps();
  for (std::uint64_t i = 0; i < steps; ++i) factors[(updates + i) % steps_per_epoch_] = factor(made + i);
  factors_.device().backend().copy_to_device(factors_.data(), factors.data(), factors_.bytes(),
                                             Stream::current(factors_.device()).handle());
}

std::int64_t Trainer::images_after(std::uint64_t steps) const {
  return std::min(images_per_epoch(), static_cast<std::int64_t>(steps) * options_.batch_size);
}

// Resets the device's loss sums and skipped steps, which cover one epoch.
void Trainer::begin_epoch() {
  write_run_state(state_, {.step = step_, .updates = updates_read_});
  skipped_before_ += epoch_skipped_;
  epoch_skipped_ = epoch_skipped_images_ = 0;
  seen_ = {};
  seconds_ = 0;
}

// Returns the number of steps to run before the host must act again. They are either steps with full batches,
// or the one step with the smaller last batch of an epoch.
std::uint64_t Trainer::steps_at_once(std::uint64_t end, bool reports) const {
  const std::uint64_t done = step_in_epoch();
  const std::uint64_t full =
      std::min(steps_per_epoch_, static_cast<std::uint64_t>(train_.count() / options_.batch_size));
  std::uint64_t steps = std::min(end - step_, done < full ? full - done : 1);
  for (const StepWatch& watch : step_callbacks_) steps = std::min(steps, watch.every - step_ % watch.every);
  if (stop_condition_) steps = std::min(steps, executor_->most_a_launch());
  if (!reports) return steps;
  const std::uint64_t together = reports_wait() && executor_->captures()
                                     ? executor_->most_a_launch()
                                     : static_cast<std::uint64_t>(options_.report_steps);
  return std::min(steps, together - done % together);
}

// The context of the next step. Its counters are in device memory, so that it serves for all later steps.
StepContext Trainer::first_step() {
  StepContext step;
  step.state = static_cast<RunState*>(state_.data());
  step.clock = {.device_step = step_counter(state_), .steps_per_epoch = steps_per_epoch_};
  const std::uint64_t updates = optimizer_.steps();
  step.updates = {.step = updates - step_, .device_step = step.clock.device_step};
  if (skips()) step.updates = {.step = updates - updates_read_, .device_step = update_counter(state_)};
  step.factors = factors_;
  step.average = average_ ? &*average_ : nullptr;
  return step;
}

// Returns whether `condition` is true on any rank, so that all ranks stop after the same step.
bool Trainer::any_rank(bool condition) const {
  if (!options_.communicator) return condition;
  const Tensor ranks = Tensor::from(std::vector<float>{condition ? 1.0f : 0.0f}, {1});
  options_.communicator->sum(ranks);
  return ranks.item() > 0;
}

// Runs steps of one epoch, up to step number `end` of the run. Waits for the device only for reports and at
// the end. Returns whether a callback stopped the run.
bool Trainer::train_to(std::uint64_t end, const ProgressCallback& progress) {
  const kernels::Range range("train");
  const auto start = std::chrono::steady_clock::now();
  if (step_in_epoch() == 0) begin_epoch();
  StepContext step = first_step();
  write_factors(end - step_);
  LaunchThrottle ahead(model_.device());
  bool stop = false;
  while (step_ < end && !stop) {
    const std::uint64_t before = step_, steps = steps_at_once(end, static_cast<bool>(progress));
    step.number = step_;
    step.rows = images_after(step_in_epoch() + 1) - images_after(step_in_epoch());
    queued_ = step_ + steps;
    executor_->run(step, steps);
    if (!skips()) optimizer_.count(steps);
    step_ += steps;
    stop = report_steps();
    stop = any_rank((stop_condition_ && stop_condition_()) || stop);
    if (progress || stop_condition_) ahead.launched();
    if (progress) report_progress(progress, before);
  }
  read_sums();
  seconds_ += seconds_since(start);
  return stop;
}

EpochResult Trainer::epoch_so_far() const {
  EpochResult result;
  result.complete = step_in_epoch() == 0;
  result.epoch = epochs_done() + (result.complete ? 0 : 1);
  result.train = mean_of(seen_);
  result.train_seconds = seconds_;
  result.skipped = epoch_skipped_;
  result.rewinds = rewinds_;
  return result;
}

EpochResult Trainer::finish_epoch() {
  EpochResult result = epoch_so_far();
  if (validation_.defined() && validation_.count() > 0) {
    const auto start = std::chrono::steady_clock::now();
    double compared = 0;
    with_weights(ModelWeights::evaluated, [&] {
      result.validation =
          evaluate_in(static_cast<std::uint64_t>(result.epoch) - 1, validation_, options_.beta);
      if (keeps_best()) compared = loss_to_compare(result);
    });
    result.validation_seconds = seconds_since(start);
    if (keeps_best()) compare_with_best(result, compared);
  }
  return result;
}

EpochResult Trainer::run_epoch(const ProgressCallback& progress) {
  bool stopped = false;
  return run_epoch(progress, stopped);
}

EpochResult Trainer::run_epoch(const ProgressCallback& progress, bool& stopped) {
  const Training training(training_);
  const ScopedStream on(training_stream());
  if (reported_ == std::chrono::steady_clock::time_point{}) reported_ = std::chrono::steady_clock::now();
  EpochResult result;
  run_with_rewinds([&] {
    stopped = train_to(end_of_epoch(), progress);
    result = step_in_epoch() == 0 ? finish_epoch() : epoch_so_far();
  });
  if (result.complete) stopped = report_epoch(result) || stopped;
  return result;
}

std::vector<EpochResult> Trainer::run_epochs(int epochs) {
  std::vector<EpochResult> results;
  bool stopped = false;
  for (int i = 0; i < epochs && !stopped && !patience_is_over(); ++i)
    results.push_back(run_epoch({}, stopped));
  return results;
}

StepsResult Trainer::run_steps(std::uint64_t steps) {
  const Training training(training_);
  const ScopedStream on(training_stream());
  StepsResult result;
  of_call_ = {};
  const std::uint64_t first = step_, end = steps > UINT64_MAX - first ? UINT64_MAX : first + steps;
  while (step_ < end && !result.stopped && !patience_is_over()) {
    std::optional<EpochResult> epoch;
    run_with_rewinds([&] {
      epoch.reset();
      result.stopped = train_to(std::min(end, end_of_epoch()), {});
      if (step_in_epoch() == 0 && (!epoch_callbacks_.empty() || keeps_best())) epoch = finish_epoch();
    });
    if (epoch) result.stopped = report_epoch(*epoch) || result.stopped;
  }
  result.stopped = result.stopped || patience_is_over();
  result.steps = step_ - first;
  result.losses = mean_of(of_call_);
  return result;
}

}  // namespace gpuvae
