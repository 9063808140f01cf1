#include "src/train/autograd_step.h"

#include "kernels/ranges.h"
#include "src/core/random.h"
#include "src/data/batch.h"

namespace gpuvae {

namespace {

Draw draw_of(const Batch& batch, const Noise& noise) {
  Draw draw;
  draw.noise = noise;
  draw.noise.samples = batch.samples;
  return draw;
}

Elbo elbo_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options,
             double per_image) {
  const double per_pixel = options.pixel_mean ? 1.0 / static_cast<double>(model.options().features) : 1.0;
  return model.negative_elbo(batch.x, draw_of(batch, noise),
                             {per_image * per_pixel, per_image, options.free_bits});
}

BatchLosses reported(const Elbo& elbo) { return {elbo.reconstruction.value(), elbo.kl.value()}; }
BatchLosses reported(const ObjectiveLoss& loss, const Objective& objective) {
  BatchLosses losses = {loss.reconstruction.value(), loss.kl.value()};
  if (objective.is_importance_weighted()) losses.push_back(loss.loss.value());
  return losses;
}

kernels::MetricsArgs metrics_of(const BatchLosses& losses, const TrainOptions& options,
                                const StepContext& step) {
  kernels::MetricsArgs args{.count = static_cast<int>(losses.size())};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    args.terms[i] = losses[i].data();
    args.weights[i] = options.batch_sum ? 1.0 : static_cast<double>(step.rows);
  }
  args.clock = kernel_clock("train", step.clock, losses[0].device());
  args.totals = step.state->sums;
  args.bad_step = &step.state->bad_step;
  return args;
}

// Returns tensors for Optimizer::step_if_finite of which one is not finite if a loss is not: a sum is finite
// only if its terms are.
BatchLosses guarded(BatchLosses losses) {
  while (losses.size() > kernels::kMaxGuardedLosses) {
    const Tensor last = losses.back();
    losses.pop_back();
    losses.back() = (Variable(losses.back()) + Variable(last)).value();
  }
  return losses;
}

void accumulate(const kernels::MetricsArgs& args, Device device) {
  device.backend().accumulate_metrics(args, Stream::current(device).handle());
}

}  // namespace

BatchLosses losses_of(const Vae& model, const Batch& batch, const Noise& noise, const TrainOptions& options,
                      double per_image) {
  if (options.objective.is_default()) return reported(elbo_of(model, batch, noise, options, per_image));
  return reported(model.negative_objective(batch.x, draw_of(batch, noise), options.objective,
                                           {per_image, options.beta, {}}),
                  options.objective);
}

void count_losses(const BatchLosses& losses, const TrainOptions& options, const StepContext& step) {
  accumulate(metrics_of(losses, options, step), losses[0].device());
}

void count_step(const BatchLosses& losses, const TrainOptions& options, const StepContext& step,
                const Tensor& gradient_scale) {
  kernels::MetricsArgs args = metrics_of(losses, options, step);
  args.advance = &step.state->step;
  if (gradient_scale) args.gradient_scale = gradient_scale.data();
  if (options.on_nan == OnNan::skip) {
    args.skipped = &step.state->skipped;
    args.images = static_cast<std::uint64_t>(step.rows);
    args.updates = &step.state->updates;
  }
  accumulate(args, losses[0].device());
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

// The weight of the KL term rises linearly during the warm-up (Bowman et al., 2016; Sonderby et al., 2016).
// The device computes it from its step counter.
Tensor AutogradStep::warmup_weight(const Clock& clock) const {
  const double steps = options_.warmup_epochs * static_cast<double>(clock.steps_per_epoch);
  if (steps <= 0) return {};
  const Device device = model_.device();
  const Tensor weight = Tensor::empty({1}, DType::f32, device);
  device.backend().ramp(
      {weight.dtype(), options_.beta, steps, kernel_clock("train", clock, device), weight.data()},
      Stream::current(device).handle());
  return weight;
}

// Computes the losses and the gradients.
BatchLosses AutogradStep::backward(const Batch& batch, const Noise& noise, const Clock& clock,
                                   double per_image) {
  if (options_.objective.is_default()) {
    const Elbo elbo = elbo_of(model_, batch, noise, options_, per_image);
    const Tensor weight = warmup_weight(clock);
    const autograd::Root roots[] = {{elbo.reconstruction, 1, {}},
                                    {elbo.regularizer, weight ? 1 : options_.beta, weight}};
    zero_gradients();
    autograd::backward(roots);
    return reported(elbo);
  }
  const Tensor weight = warmup_weight(clock);
  const ObjectiveLoss loss = model_.negative_objective(batch.x, draw_of(batch, noise), options_.objective,
                                                       {per_image, weight ? 1 : options_.beta, weight});
  zero_gradients();
  loss.loss.backward();
  return reported(loss, options_.objective);
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
  BatchLosses losses = backward(share.batch, noise, step.clock, share.empty ? 0 : per_image);
  if (options_.communicator) {
    const auto count = static_cast<std::int64_t>(losses.size());
    const Tensor all = Tensor::empty({count}, losses[0].dtype(), losses[0].device());
    for (std::int64_t i = 0; i < count; ++i) all.slice(i, 1).copy_from(losses[i].reshape({1}));
    options_.communicator->sum(optimizer_.gradients());
    options_.communicator->sum(all);
    for (std::int64_t i = 0; i < count; ++i) losses[i] = all.slice(i, 1);
  }
  update(losses, step);
}

void AutogradStep::update(const BatchLosses& losses, const StepContext& step) {
  // A gradient whose norm is not finite cannot be scaled down to clip_norm.
  if (options_.on_nan == OnNan::stop && optimizer_.options().clip_norm == 0) {
    optimizer_.step(step.updates, step.factors);
    if (step.average) step.average->update(step.updates);
    return count_step(losses, options_, step, {});
  }
  optimizer_.step_if_finite(step.updates, step.factors, guarded(losses));
  if (step.average) step.average->update(step.updates, optimizer_.gradient_scale());
  count_step(losses, options_, step, optimizer_.gradient_scale());
}

}  // namespace gpuvae
