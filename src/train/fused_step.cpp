#include "src/train/fused_step.h"

#include "kernels/check.h"
#include "kernels/ranges.h"
#include "src/core/random.h"
#include "src/distributions/built_in.h"

namespace gpuvae {
namespace {

kernels::FusedLayer layer_of(const Linear& linear) {
  const Tensor &weight = linear.weight.value(), &bias = linear.bias.value();
  return {weight.shape()[1], weight.shape()[0], static_cast<float*>(weight.data()),
          static_cast<float*>(bias.data())};
}

// Returns the number of layers, and writes as many of them as `out` can hold.
int layers_of(const Mlp& mlp, kernels::FusedLayer (&out)[kernels::kFusedMaxLayers]) {
  const std::size_t room = std::size(out);
  for (std::size_t i = 0; i < std::min(mlp.layers.size(), room); ++i) out[i] = layer_of(mlp.layers[i]);
  return static_cast<int>(mlp.layers.size());
}

void set_batch(kernels::FusedStepArgs& args, const Dataset& images, const TrainOptions& options) {
  kernels::GatherArgs& g = args.gather;
  g.batch = g.rows = options.batch_size;
  g.columns = images.features();
  g.count = images.count();
  g.source = images.examples.dtype();
  g.data = images.examples.data();
  g.shuffle = options.data.shuffle;
  g.binarize = options.data.binarize;
  g.threshold = options.data.threshold;
  g.seed = options.data.seed;
}

void set_model(kernels::FusedStepArgs& args, const Vae& model, const TrainOptions& options) {
  const VaeOptions& o = model.options();
  args.encoder_layers = layers_of(model.encoder(), args.encoder);
  args.decoder_layers = layers_of(model.decoder(), args.decoder);
  args.posterior_head = layer_of(model.posterior_head());
  args.output = layer_of(model.output());
  args.activation = o.activation;
  args.posterior.latent = o.latent;
  if (const DiagonalGaussianOptions* posterior = diagonal_gaussian_options(model.posterior())) {
    args.posterior.scale = posterior->scale;
    args.posterior.noise_std = posterior->noise_std;
  }
  args.posterior.noise.seed = options.data.seed;
  args.posterior.noise.purpose = RandomPurpose::posterior_noise;
  args.posterior.noise.frozen = options.frozen_noise;
  if (const GaussianOptions* gaussian = gaussian_options(model.likelihood())) {
    args.likelihood = {kernels::LikelihoodKind::gaussian, gaussian->sigmoid_mean, gaussian->low,
                       gaussian->high};
  }
}

// Sets the weights of the loss terms such that losses are in nats per image, unless pixel_mean is true.
void set_weights(kernels::FusedStepArgs& args, const Dataset& images, const TrainOptions& options) {
  const double per_pixel = options.pixel_mean ? 1.0 / static_cast<double>(images.features()) : 1.0;
  args.reconstruction_weight = per_pixel;
  args.kl_weight = options.beta;
  args.mean = !options.batch_sum;
  args.warmup_steps = options.warmup_epochs * static_cast<double>(steps_per_epoch(options, images.count()));
  args.metrics.weights[0] = per_pixel;
  args.metrics.weights[1] = 1;
}

void set_optimizer(kernels::FusedStepArgs& args, const Optimizer& optimizer) {
  const OptimizerOptions& o = optimizer.options();
  kernels::OptimizerArgs& a = args.optimizer;
  a.kind = o.kind;
  a.size = optimizer.values().elements();
  a.decayed = optimizer.decayed();
  a.device_learning_rate = optimizer.device_learning_rate().data_as<double>();
  a.beta1 = o.beta1;
  a.beta2 = o.beta2;
  a.epsilon = o.epsilon;
  a.decay = o.kind == OptimizerKind::adamw ? o.l2 : 2 * o.l2;
  a.parameters = optimizer.values().data();
  a.state1 = optimizer.state1().data();
  a.state2 = optimizer.state2() ? optimizer.state2().data() : nullptr;
}

kernels::FusedStepArgs args_of(const Vae& model, const Optimizer& optimizer, const Dataset& images,
                               const TrainOptions& options) {
  kernels::FusedStepArgs args;
  set_batch(args, images, options);
  set_model(args, model, options);
  set_weights(args, images, options);
  set_optimizer(args, optimizer);
  return args;
}

kernels::FusedPrecision fused_precision(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return kernels::FusedPrecision::tf32;
    case Precision::bf16:
      return kernels::FusedPrecision::bf16;
    case Precision::f32:
      break;
  }
  return kernels::FusedPrecision::automatic;
}

std::string custom_part(const Vae& model) {
  if (!diagonal_gaussian_options(model.posterior()))
    return fmt::format("the posterior is {}", model.posterior().name());
  if (model.options().conditions > 0) return "the model has a condition";
  if (model.options().gated) return "the hidden layers are gated";
  if (!model.prior().is_standard_normal()) return fmt::format("the prior is {}", model.prior().name());
  if (!is_bernoulli(model.likelihood()) && !gaussian_options(model.likelihood()))
    return fmt::format("the likelihood is {}", model.likelihood().name());
  const std::size_t layers = model.encoder().layers.size() + model.decoder().layers.size() + 2;
  if (model.parameters().size() != 2 * layers) return "a distribution has learned parameters";
  return "";
}

}  // namespace

std::string FusedStep::why_not(const Vae& model, const Optimizer& optimizer, const Dataset& images,
                               const TrainOptions& options) {
  if (std::string why = model.device().backend().fused_step_unavailable(); !why.empty()) return why;
  if (images.source) return "the examples are read from a source";
  if (std::string why = custom_part(model); !why.empty()) return why;
  if (model.options().missing_values) return "examples may have missing values";
  if (optimizer.variable_count() != model.parameters().size())
    return "the optimiser updates only some of the parameters";
  if (optimizer.options().clip_norm > 0)
    return "gradients are clipped by their norm, which requires all gradients first";
  if (options.on_nan != OnNan::stop)
    return fmt::format("on_nan {} requires all gradients before the update", name(options.on_nan));
  if (!options.objective.is_default())
    return fmt::format("the objective is {}", objective_text(options.objective));
  if (options.free_bits > 0) return "free bits require the KL divergence of the whole batch first";
  return kernels::fused_step_why_not(args_of(model, optimizer, images, options));
}

FusedStep::FusedStep(const Vae& model, const Optimizer& optimizer, const Dataset& images,
                     const TrainOptions& options, kernels::FusedPrecision precision)
    : device_(model.device()) {
  const std::string why = why_not(model, optimizer, images, options);
  check(why.empty(), "fused_step", "expected a model that the fused step supports, but {}", why);
  check(images.examples.device() == device_, "fused_step", "expected the images on {}, got {}", device_,
        images.examples);
  check(images.features() == model.options().features, "fused_step",
        "expected examples of {} features, got {}", model.options().features, images.features());
  args_ = args_of(model, optimizer, images, options);
  args_.precision = precision == kernels::FusedPrecision::automatic
                        ? fused_precision(model.options().precision)
                        : precision;
  workspace_ =
      Tensor::empty({static_cast<std::int64_t>(kernels::fused_step_workspace(args_))}, DType::u8, device_);
  args_.workspace = workspace_.data();
}

void FusedStep::enqueue(const StepContext& step) {
  const kernels::Range range("step");
  args_.gather.clock = kernel_clock("fused_step", step.clock, device_);
  args_.optimizer.clock = kernel_clock("fused_step", step.updates, device_);
  args_.metrics.totals = step.state->sums;
  args_.metrics.bad_step = &step.state->bad_step;
  args_.advance = &step.state->step;
  args_.optimizer.learning_rate_factors = step.factors ? step.factors.data_as<double>() : nullptr;
  args_.optimizer.factor_count = step.factors ? static_cast<std::uint64_t>(step.factors.elements()) : 1;
  device_.backend().fused_step(args_, Stream::current(device_).handle());
  if (!step.average) return;
  // The fused step has advanced the counter from which the clock is computed.
  Clock updates = step.updates;
  --updates.step;
  step.average->update(updates);
}

}  // namespace gpuvae
