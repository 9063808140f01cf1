#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What the metrics kernel keeps on the device.
struct Totals {
  double sums[kernels::kMostMetrics] = {};
  std::uint64_t bad_step = 0;
};

}  // namespace

Trainer::Trainer(Vae& model, Optimizer& optimizer, ImageSet train, ImageSet validation,
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
  check(train_.pixels() == model.options().pixels, "train", "expected images of {} pixels, got {}",
        model.options().pixels, train_.pixels());
  check(train_.images.device() == model.device(), "train", "expected the images on {}, got {}",
        model.device().text(), train_.images.text());
  const std::int64_t full = train_.count() / options.batch_size;
  const bool ragged = train_.count() % options.batch_size != 0 && !options.drop_last;
  steps_per_epoch_ = static_cast<std::uint64_t>(full + ragged);
  check(steps_per_epoch_ > 0, "train", "expected at least one batch of {}, got {} images", options.batch_size,
        train_.count());
}

std::int64_t Trainer::images_per_epoch() const {
  return std::min(train_.count(), static_cast<std::int64_t>(steps_per_epoch_) * options_.batch_size);
}

// Of the sum or the mean over the batch, as the gradient wants it.
Elbo Trainer::losses_of(const Batch& batch, RandomPurpose purpose, const Clock& clock) const {
  Draw draw;
  draw.noise = {
      .seed = options_.data.seed, .purpose = purpose, .clock = clock, .frozen = options_.frozen_noise};
  draw.samples = batch.samples;
  const double per_image = options_.batch_sum ? 1.0 : 1.0 / static_cast<double>(batch.x.shape()[0]);
  const double per_pixel = options_.pixel_mean ? 1.0 / static_cast<double>(train_.pixels()) : 1.0;
  return model_.negative_elbo(batch.x, draw, {per_image * per_pixel, per_image, options_.free_bits});
}

void Trainer::count(const Elbo& elbo, std::int64_t rows, const Clock& clock) {
  kernels::MetricsArgs args{.count = 2};
  args.terms[0] = elbo.reconstruction.value().data(), args.terms[1] = elbo.kl.value().data();
  args.weights[0] = args.weights[1] = options_.batch_sum ? 1.0 : static_cast<double>(rows);
  args.clock = clock;
  auto* totals = static_cast<std::byte*>(totals_.data());
  args.totals = reinterpret_cast<double*>(totals + offsetof(Totals, sums));
  args.bad_step = reinterpret_cast<std::uint64_t*>(totals + offsetof(Totals, bad_step));
  model_.device().backend().accumulate_metrics(args, Stream::current(model_.device()).handle());
}

// Linear warm-up (Bowman et al., 2016; Sonderby et al., 2016).
double Trainer::beta_at(std::uint64_t step) const {
  const double steps = options_.warmup_epochs * static_cast<double>(steps_per_epoch_);
  return options_.beta * (steps > 0 ? std::min(1.0, static_cast<double>(step) / steps) : 1.0);
}

void Trainer::reset_totals() {
  const Totals zero;
  std::uint8_t bytes[sizeof zero];
  std::memcpy(bytes, &zero, sizeof zero);
  totals_ = Tensor::from(bytes, {sizeof zero}, model_.device());
}

Losses Trainer::read_totals(std::int64_t images, bool training) const {
  const Tensor host = totals_.to(Device::cpu());
  Totals totals;
  std::memcpy(&totals, host.data(), sizeof totals);
  check(totals.bad_step == 0 || training, "evaluate", "the loss is not finite after epoch {}", epoch_ + 1);
  check(totals.bad_step == 0, "train", "the loss is not finite at step {} (epoch {}, step {} of {})",
        totals.bad_step, (totals.bad_step - 1) / steps_per_epoch_ + 1,
        (totals.bad_step - 1) % steps_per_epoch_ + 1, steps_per_epoch_);
  const double n = static_cast<double>(images), reconstruction = totals.sums[0] / n, kl = totals.sums[1] / n;
  return {reconstruction + options_.beta * kl, reconstruction, kl};
}

void Trainer::step(const Clock& clock) {
  const Batch batch = gather_batch(train_.images, options_.batch_size, clock, options_.data);
  const Elbo elbo = losses_of(batch, RandomPurpose::posterior_noise, clock);
  const autograd::Root roots[] = {{elbo.reconstruction, 1}, {elbo.regularizer, beta_at(clock.step)}};
  optimizer_.zero_grad();
  autograd::backward(roots);
  optimizer_.step();
  count(elbo, batch.x.shape()[0], clock);
}

EpochResult Trainer::run_epoch(const ProgressCallback& progress) {
  EpochResult result;
  result.epoch = epoch_ + 1;
  auto start = std::chrono::steady_clock::now();
  reset_totals();
  Clock clock{.step = static_cast<std::uint64_t>(epoch_) * steps_per_epoch_,
              .steps_per_epoch = steps_per_epoch_};
  for (std::uint64_t i = 0; i < steps_per_epoch_; ++i, ++clock.step) {
    step(clock);
    if (!progress || (i + 1) % static_cast<std::uint64_t>(options_.report_steps) != 0) continue;
    const std::int64_t done = std::min<std::int64_t>(images_per_epoch(), (i + 1) * options_.batch_size);
    progress(done, read_totals(done, true));
  }
  result.train = read_totals(images_per_epoch(), true);
  result.train_seconds = seconds_since(start);
  if (validation_.images && validation_.count() > 0) {
    start = std::chrono::steady_clock::now();
    result.validation = evaluate(validation_);
    result.validation_seconds = seconds_since(start);
  }
  ++epoch_;
  return result;
}

Losses Trainer::evaluate(const ImageSet& images) {
  const NoGradGuard no_grad;
  reset_totals();
  const auto batches = static_cast<std::uint64_t>((images.count() + options_.validation_batch - 1) /
                                                  options_.validation_batch);
  BatchOptions in_order = options_.data;
  in_order.shuffle = false;
  in_order.seed = ~in_order.seed;  // image i of this set is not image i of the training set
  // The epoch of the clock is the epoch of training, so that validation noise is fresh every epoch too.
  Clock clock{.step = static_cast<std::uint64_t>(epoch_) * batches, .steps_per_epoch = batches};
  for (std::uint64_t i = 0; i < batches; ++i, ++clock.step) {
    const Batch batch = gather_batch(images.images, options_.validation_batch, clock, in_order);
    count(losses_of(batch, RandomPurpose::validation_noise, clock), batch.x.shape()[0], clock);
  }
  return read_totals(images.count(), false);
}

}  // namespace gpuvae
