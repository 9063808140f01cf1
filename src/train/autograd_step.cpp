#include "src/train/autograd_step.h"

#include "kernels/ranges.h"
#include "src/core/random.h"
#include "src/data/batch.h"

namespace gpuvae {

Elbo losses_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options,
               double per_image) {
  Draw draw;
  draw.noise = noise;
  draw.noise.samples = batch.samples;
  const double per_pixel = options.pixel_mean ? 1.0 / static_cast<double>(model.options().features) : 1.0;
  return model.negative_elbo(batch.x, draw, {per_image * per_pixel, per_image, options.free_bits});
}

namespace {

kernels::MetricsArgs metrics_of(const Tensor& reconstruction, const Tensor& kl, const TrainOptions& options,
                                const StepContext& step) {
  kernels::MetricsArgs args{.count = 2};
  args.terms[0] = reconstruction.data();
  args.terms[1] = kl.data();
  args.weights[0] = args.weights[1] = options.batch_sum ? 1.0 : static_cast<double>(step.rows);
  args.clock = kernel_clock("train", step.clock, kl.device());
  args.totals = step.state->sums;
  args.bad_step = &step.state->bad_step;
  return args;
}

void accumulate(const kernels::MetricsArgs& args, Device device) {
  device.backend().accumulate_metrics(args, Stream::current(device).handle());
}

}  // namespace

void count_losses(const Tensor& reconstruction, const Tensor& kl, const TrainOptions& options,
                  const StepContext& step) {
  accumulate(metrics_of(reconstruction, kl, options, step), kl.device());
}

void count_step(const Tensor& reconstruction, const Tensor& kl, const TrainOptions& options,
                const StepContext& step, const Tensor& gradient_scale) {
  kernels::MetricsArgs args = metrics_of(reconstruction, kl, options, step);
  args.advance = &step.state->step;
  if (gradient_scale) args.gradient_scale = gradient_scale.data();
  if (options.on_nan == OnNan::skip) {
    args.skipped = &step.state->skipped;
    args.images = static_cast<std::uint64_t>(step.rows);
    args.updates = &step.state->updates;
  }
  accumulate(args, kl.device());
}

namespace {

// The rows of a batch that a rank computes. If there are fewer rows than ranks, some ranks have none: they
// compute the first one with the weight 0.
struct Share {
  Batch batch;
  bool empty = false;
};
Share share_of(const Batch& batch, const Communicator* ranks) {
  if (!ranks) return {batch};
  const std::int64_t rows = batch.x.shape()[0];
  const std::int64_t first = rows * ranks->rank() / ranks->size(),
                     end = rows * (ranks->rank() + 1) / ranks->size();
  const bool empty = first == end;
  const std::int64_t from = empty ? 0 : first, count = empty ? 1 : end - first;
  return {{batch.x.slice(from, count), batch.samples.slice(from, count)}, empty};
}

}  // namespace

AutogradStep::AutogradStep(const Vae& model, Optimizer& optimizer, const Dataset& images,
                           const TrainOptions& options)
    : model_(model), optimizer_(optimizer), images_(images), options_(options) {
  for (const Parameter& p : model_.parameters())
    if (!optimizer_.updates(p.variable)) others_.push_back(p.variable);
  if (images_.source && !model_.device().is_cpu()) feed_.emplace(images_, options_);
}

Batch AutogradStep::batch_of(const StepContext& step) const {
  if (feed_)
    return data::gather_staged(feed_->rows(), images_.count(), options_.batch_size, step.clock, options_.data,
                               DType::f32, step.rows);
  return gather_batch(images_, options_.batch_size, step.clock, options_.data, DType::f32, step.rows);
}

void AutogradStep::zero_gradients() {
  optimizer_.zero_grad();
  for (const Variable& other : others_) other.zero_grad();
}

// Returns the KL term with its weight, which rises linearly during the warm-up (Bowman et al., 2016; Sonderby
// et al., 2016). The device computes the weight from its step counter.
autograd::Root AutogradStep::regularizer_root(const Variable& regularizer, const Clock& clock) const {
  const double steps = options_.warmup_epochs * static_cast<double>(clock.steps_per_epoch);
  if (steps <= 0) return {regularizer, options_.beta};
  const Device device = regularizer.device();
  const Tensor weight = Tensor::empty({1}, regularizer.dtype(), device);
  device.backend().ramp(
      {weight.dtype(), options_.beta, steps, kernel_clock("train", clock, device), weight.data()},
      Stream::current(device).handle());
  return {regularizer, 1, weight};
}

void AutogradStep::enqueue(const StepContext& step) {
  const kernels::Range range("step");
  const Batch batch = batch_of(step);
  const Noise noise{.seed = options_.data.seed,
                    .purpose = RandomPurpose::posterior_noise,
                    .clock = step.clock,
                    .frozen = options_.frozen_noise};
  const double per_image = options_.batch_sum ? 1.0 : 1.0 / static_cast<double>(batch.x.shape()[0]);
  const Share share = share_of(batch, options_.communicator.get());
  const Elbo elbo = losses_of(model_, share.batch, noise, options_, share.empty ? 0 : per_image);
  const autograd::Root roots[] = {{elbo.reconstruction, 1, {}},
                                  regularizer_root(elbo.regularizer, step.clock)};
  zero_gradients();
  autograd::backward(roots);
  Tensor reconstruction = elbo.reconstruction.value(), kl = elbo.kl.value();
  if (options_.communicator) {
    const Tensor losses = Tensor::empty({2}, reconstruction.dtype(), reconstruction.device());
    losses.slice(0, 1).copy_from(reconstruction.reshape({1}));
    losses.slice(1, 1).copy_from(kl.reshape({1}));
    options_.communicator->sum(optimizer_.gradients());
    options_.communicator->sum(losses);
    reconstruction = losses.slice(0, 1);
    kl = losses.slice(1, 1);
  }
  update(reconstruction, kl, step);
}

void AutogradStep::update(const Tensor& reconstruction, const Tensor& kl, const StepContext& step) {
  if (options_.on_nan == OnNan::stop) {
    optimizer_.step(step.updates, step.factors);
    return count_step(reconstruction, kl, options_, step, {});
  }
  const Tensor losses[] = {reconstruction, kl};
  optimizer_.step_if_finite(step.updates, step.factors, losses);
  count_step(reconstruction, kl, options_, step, optimizer_.gradient_scale());
}

}  // namespace gpuvae
