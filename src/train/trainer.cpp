#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "src/train/autograd_step.h"
#include "src/train/executor.h"
#include "src/train/fused_step.h"

namespace gpuvae {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The one stream waits for all that the other was given so far; the host does not.
void order(const Stream& before, const Stream& after) {
  kernels::Backend& backend = before.device().backend();
  const kernels::EventHandle event = backend.record_event(before.handle());
  backend.wait_event(after.handle(), event);
  backend.destroy_event(event);
}

// Work goes to `inner` for a while, after what the current stream was given, and before what it will be.
class ScopedStream {
 public:
  explicit ScopedStream(const Stream& inner)
      : outer_(Stream::current(inner.device())), inner_(inner), guard_(inner) {
    if (!(inner_ == outer_)) order(outer_, inner_);
  }
  ~ScopedStream() {
    try {
      if (!(inner_ == outer_)) order(inner_, outer_);
    } catch (const Error&) {  // the device is lost: whoever uses it next is told
    }
  }
  ScopedStream(const ScopedStream&) = delete;
  ScopedStream& operator=(const ScopedStream&) = delete;

 private:
  Stream outer_, inner_;
  StreamGuard guard_;
};

// Keeps the host at most two launches ahead of the device, so that reports are of the present.
class LaunchThrottle {
 public:
  explicit LaunchThrottle(Device device) : backend_(device.backend()), device_(device) {}
  ~LaunchThrottle() {
    for (kernels::EventHandle event : launched_) backend_.destroy_event(event);
  }
  LaunchThrottle(const LaunchThrottle&) = delete;
  LaunchThrottle& operator=(const LaunchThrottle&) = delete;

  void launched() {
    constexpr std::size_t kLargest = 2;
    launched_.push_back(backend_.record_event(Stream::current(device_).handle()));
    if (launched_.size() <= kLargest) return;
    const kernels::EventHandle oldest = launched_.front();
    launched_.pop_front();
    backend_.synchronize_event(oldest);
    backend_.destroy_event(oldest);
  }

 private:
  kernels::Backend& backend_;
  Device device_;
  std::deque<kernels::EventHandle> launched_;
};

void write_state(const Tensor& state, const RunState& value) {
  state.device().backend().copy_to_device(state.data(), &value, sizeof value,
                                          Stream::current(state.device()).handle());
}

void check_belongs(const Vae& model, const Optimizer& optimizer) {
  std::size_t updated = 0;
  for (const Parameter& p : model.parameters()) updated += optimizer.updates(p.variable);
  check(updated == optimizer.variable_count(), "train",
        "expected an optimiser of this model's parameters, got one of {} variables of which {} belong to it",
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
  check(options.warmup_epochs >= 0 && options.free_bits >= 0, "train",
        "expected warm-up epochs and free bits of 0 or more, got {} and {}", options.warmup_epochs,
        options.free_bits);
  check(options.report_steps > 0, "train", "expected 1 or more steps between reports, got {}",
        options.report_steps);
  check(options.validation_batch > 0, "train", "expected a validation batch of 1 or more, got {}",
        options.validation_batch);
  check(train_.features() == model.options().features, "train", "expected examples of {} features, got {}",
        model.options().features, train_.features());
  check(train_.examples.device() == model.device(), "train", "expected the images on {}, got {}",
        model.device(), train_.examples);
  check_belongs(model, optimizer);
  steps_per_epoch_ = static_cast<std::uint64_t>(gpuvae::steps_per_epoch(options, train_.count()));
  check(steps_per_epoch_ > 0, "train", "expected at least one batch of {}, got {} images", options.batch_size,
        train_.count());
  check(options.report_seconds >= 0, "train", "expected 0 or more seconds between reports, got {}",
        options.report_seconds);
  state_ = Tensor::empty({sizeof(RunState)}, DType::u8, model.device());
  if (options_.schedule)
    factors_ = Tensor::empty({static_cast<std::int64_t>(steps_per_epoch_)}, DType::f64, model.device());
  const std::int64_t full = train_.count() / options.batch_size;
  const auto between = std::max<std::uint64_t>(
      1, reports_wait() ? static_cast<std::uint64_t>(full)
                        : static_cast<std::uint64_t>(std::min(full, options.report_steps)));
  executor_ = std::make_unique<StepExecutor>(choose_step(), options.executor, between);
}

ChosenStep Trainer::choose_step() {
  const Executor asked = options_.executor;
  const bool cuda = !model_.device().is_cpu();
  ChosenStep step;
  if (cuda && (asked == Executor::automatic || asked == Executor::fused)) {
    step.why = FusedStep::why_not(model_, optimizer_, train_, options_);
    check(asked != Executor::fused || step.why.empty(), "train",
          "expected a model that the fused executor covers, but {}", step.why);
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

// A capture needs a stream that is not the device's default one.
Stream Trainer::training_stream() {
  const Stream current = Stream::current(model_.device());
  if (!executor_->captures() || current.handle()) return current;
  if (!stream_) stream_ = Stream(model_.device());
  return *stream_;
}

Losses Trainer::read_totals(const Tensor& state, std::int64_t images, bool training) const {
  const Tensor host = state.to(Device::cpu());
  RunState totals;
  std::memcpy(&totals, host.data(), sizeof totals);
  check(totals.bad_step == 0 || training, "evaluate", "the loss is not finite after epoch {}", epoch_ + 1);
  check(totals.bad_step == 0, "train", "the loss is not finite at step {} (epoch {}, step {} of {})",
        totals.bad_step, (totals.bad_step - 1) / steps_per_epoch_ + 1,
        (totals.bad_step - 1) % steps_per_epoch_ + 1, steps_per_epoch_);
  const double n = static_cast<double>(images), reconstruction = totals.sums[0] / n, kl = totals.sums[1] / n;
  return {reconstruction + options_.beta * kl, reconstruction, kl};
}

double Trainer::factor(std::uint64_t step) const {
  const double value = options_.schedule ? options_.schedule(step) : 1;
  check(value >= 0 && std::isfinite(value), "train",
        "expected a finite factor of 0 or more from the schedule at step {}, got {}", step, value);
  return value;
}

double Trainer::learning_rate(std::uint64_t step) const { return optimizer_.learning_rate() * factor(step); }

// The schedule's factors for the steps of an epoch, where the update of each step looks for them.
void Trainer::write_factors(std::uint64_t first_step, std::uint64_t updates) {
  if (!factors_) return;
  std::vector<double> factors(steps_per_epoch_);
  for (std::uint64_t i = 0; i < steps_per_epoch_; ++i)
    factors[(updates + i) % steps_per_epoch_] = factor(first_step + i);
  factors_.device().backend().copy_to_device(factors_.data(), factors.data(), factors_.bytes(),
                                             Stream::current(factors_.device()).handle());
}

// All steps of an epoch. Nothing waits for the device but reports.
void Trainer::run_steps(const ProgressCallback& progress) {
  const std::uint64_t first = static_cast<std::uint64_t>(epoch_) * steps_per_epoch_;
  const auto report = static_cast<std::uint64_t>(options_.report_steps),
             full =
                 std::min(steps_per_epoch_, static_cast<std::uint64_t>(train_.count() / options_.batch_size));
  StepContext step;
  step.state = static_cast<RunState*>(state_.data());
  step.clock = {.device_step = &step.state->step, .steps_per_epoch = steps_per_epoch_};
  const std::uint64_t updates = optimizer_.steps();
  step.updates = {.step = updates - first, .device_step = &step.state->step};
  step.factors = factors_;
  write_factors(first, updates);
  LaunchThrottle ahead(model_.device());
  for (std::uint64_t done = 0, steps = 0; done < steps_per_epoch_; done += steps) {
    step.rows = done < full ? options_.batch_size : train_.count() % options_.batch_size;
    const std::uint64_t left = done < full ? full - done : 1;
    const std::uint64_t together =
        reports_wait() && executor_->captures() ? executor_->most_a_launch() : report;
    steps = progress ? std::min(left, together - done % together) : left;
    executor_->run(step, steps);
    optimizer_.count(steps);
    if (!progress) continue;
    ahead.launched();
    const bool due =
        reports_wait() ? seconds_since(reported_) >= options_.report_seconds : (done + steps) % report == 0;
    if (!due) continue;
    const std::int64_t images =
        std::min(images_per_epoch(), static_cast<std::int64_t>(done + steps) * options_.batch_size);
    progress(images, read_totals(state_, images, true));
    reported_ = std::chrono::steady_clock::now();
  }
}

EpochResult Trainer::run_epoch(const ProgressCallback& progress) {
  const ScopedStream on(training_stream());
  EpochResult result;
  result.epoch = epoch_ + 1;
  auto start = std::chrono::steady_clock::now();
  if (reported_ == std::chrono::steady_clock::time_point{}) reported_ = start;
  write_state(state_, {.step = static_cast<std::uint64_t>(epoch_) * steps_per_epoch_});
  run_steps(progress);
  result.train = read_totals(state_, images_per_epoch(), true);
  result.train_seconds = seconds_since(start);
  if (validation_.examples && validation_.count() > 0) {
    start = std::chrono::steady_clock::now();
    result.validation = evaluate(validation_);
    result.validation_seconds = seconds_since(start);
  }
  ++epoch_;
  return result;
}

Losses Trainer::evaluate(const Dataset& images) {
  const NoGradGuard no_grad;
  const Tensor totals = Tensor::empty(state_.shape(), DType::u8, state_.device());
  write_state(totals, {});
  const auto batches = static_cast<std::uint64_t>((images.count() + options_.validation_batch - 1) /
                                                  options_.validation_batch);
  BatchOptions in_order = options_.data;
  in_order.shuffle = false;
  in_order.seed = ~in_order.seed;  // image i of this set is not image i of the training set
  // The epoch of the clock is the epoch of training, so that validation noise is fresh every epoch too.
  Clock clock{.step = static_cast<std::uint64_t>(epoch_) * batches, .steps_per_epoch = batches};
  auto* state = static_cast<RunState*>(totals.data());
  for (std::uint64_t i = 0; i < batches; ++i, ++clock.step) {
    const Batch batch = gather_batch(images.examples, options_.validation_batch, clock, in_order);
    const Noise noise{.seed = options_.data.seed,
                      .purpose = RandomPurpose::validation_noise,
                      .clock = clock,
                      .frozen = options_.frozen_noise};
    const StepContext step{.clock = clock, .rows = batch.x.shape()[0], .state = state};
    count_losses(losses_of(model_, batch, noise, options_), options_, step, false);
  }
  return read_totals(totals, images.count(), false);
}

}  // namespace gpuvae
