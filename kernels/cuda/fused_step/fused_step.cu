// The kernels of a fused training step, their arguments and their order. If the encoder and the decoder have
// one hidden layer each, a step has five kernels: the encoder, the head, the backward pass of the decoder,
// the backward pass of the encoder with the decoder's update, and the encoder's update.
#include "kernels/fused_step.h"

#include <cmath>

#include "gpuvae/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/fused_step/fused_plan.cuh"
#include "kernels/cuda/runtime/architecture.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/fused_workspace.h"

namespace gpuvae::kernels {
namespace {

FusedMatrix matrix(std::byte* base, std::size_t offset, std::int64_t columns) {
  return {reinterpret_cast<float*>(base + offset), static_cast<int>(FusedWorkspace::padded(columns))};
}

FusedOutputs plain(std::int64_t columns) { return {static_cast<int>(columns), static_cast<int>(columns), 1}; }

FusedPlan plan_of(const FusedStepArgs& args) {
  const FusedWorkspace at(args);
  auto* base = static_cast<std::byte*>(args.workspace);
  const std::int64_t latent = args.posterior.latent, pixels = FusedWorkspace::padded(args.gather.columns);
  FusedPlan plan{.args = args};
  plan.scalars = reinterpret_cast<StepScalars*>(base + at.scalars);
  plan.samples = reinterpret_cast<std::int32_t*>(base + at.samples);
  plan.x = base + at.x;
  plan.x_scale =
      args.gather.source == DType::u8 && args.gather.binarize == Binarize::none ? 1.0f / 255.0f : 1.0f;
  plan.x_stride = static_cast<int>(pixels);
  for (int i = 0; i < args.encoder_layers; ++i) {
    plan.h[i] = matrix(base, at.h[i], args.encoder[i].out);
    plan.d_h[i] = matrix(base, at.d_h[i], args.encoder[i].out);
  }
  for (int i = 0; i < args.decoder_layers; ++i) {
    plan.g[i] = matrix(base, at.g[i], args.decoder[i].out);
    plan.d_g[i] = matrix(base, at.d_g[i], args.decoder[i].out);
  }
  plan.posterior_params = matrix(base, at.posterior_params, 2 * latent);
  plan.d_posterior_params = matrix(base, at.d_posterior_params, 2 * latent);
  plan.z = matrix(base, at.z, latent);
  plan.d_params = matrix(base, at.d_params, args.outputs_per_feature() * pixels);
  plan.posterior_partials = reinterpret_cast<float*>(base + at.posterior_partials);
  plan.z_partials = reinterpret_cast<float*>(base + at.z_partials);
  plan.reconstruction_partials = reinterpret_cast<double*>(base + at.reconstruction_partials);
  plan.kl_partials = reinterpret_cast<double*>(base + at.kl_partials);
  plan.log_beta1 = std::log(args.optimizer.beta1);
  plan.log_beta2 = std::log(args.optimizer.beta2);
  return plan;
}

// Queues the kernels of a step one by one.
class FusedSchedule {
 public:
  FusedSchedule(const FusedStepArgs& args, const FusedLaunch& how, int multiprocessors)
      : args_(args), plan_(plan_of(args)), how_(how), multiprocessors_(multiprocessors) {
    const std::int64_t batch = args.gather.batch, per_pixel = args.outputs_per_feature();
    // The numbers of tiles in the layers whose blocks write partial sums.
    plan_.posterior_tiles = tiles(last_encoder().out, tile(last_encoder().out));
    plan_.z_tiles = tiles(args.decoder[0].out, tile(args.decoder[0].out));
    const int head = tile(args.output.out);
    plan_.reconstruction_tiles =
        tiles(batch, head) * tiles(args.gather.columns, head / static_cast<int>(per_pixel));
    plan_.kl_tiles = tiles(batch, args.decoder_layers == 1 ? head : tile(args.decoder[1].out));
    outputs_ = {plan_.x_stride, static_cast<int>(args.gather.columns), static_cast<int>(per_pixel)};
  }

  void run() {
    const FusedLayer &output = args_.output, &head = args_.posterior_head;
    const FusedLayer &deep_encoder = args_.encoder[1], &deep_decoder = args_.decoder[1];
    const FusedMatrix g = last(plan_.g, args_.decoder_layers), h = last(plan_.h, args_.encoder_layers);
    forward();
    const bool shallow = args_.decoder_layers == 1;
    data({plan_.d_params, outputs_, output, g, last(plan_.d_g, args_.decoder_layers), false, shallow});
    release(plan_.d_params, outputs_, output, g);
    if (!shallow) {
      data({plan_.d_g[1], plain(deep_decoder.out), deep_decoder, plan_.g[0], plan_.d_g[0], false, true});
      release(plan_.d_g[1], plain(deep_decoder.out), deep_decoder, plan_.g[0]);
    }
    release(plan_.d_g[0], plain(args_.decoder[0].out), args_.decoder[0], plan_.z);
    data({plan_.d_posterior_params, plain(head.out), head, h, last(plan_.d_h, args_.encoder_layers), true,
          false});
    release(plan_.d_posterior_params, plain(head.out), head, h);
    if (args_.encoder_layers == 2) {
      data({plan_.d_h[1], plain(deep_encoder.out), deep_encoder, plan_.h[0], plan_.d_h[0], false, false});
      release(plan_.d_h[1], plain(deep_encoder.out), deep_encoder, plan_.h[0]);
    }
    release_first();
    next_.finish = true;
    launch_fused_backward(plan_, next_, how_);
  }

 private:
  static int tiles(std::int64_t size, int tile) { return static_cast<int>((size + tile - 1) / tile); }
  static FusedMatrix last(const FusedMatrix (&of)[kFusedMaxLayers], int layers) { return of[layers - 1]; }
  const FusedLayer& last_encoder() const { return args_.encoder[args_.encoder_layers - 1]; }

  // Large tiles read less memory, and small tiles keep more multiprocessors busy.
  bool small(std::int64_t columns) const {
    return 2 * tiles(args_.gather.batch, 32) * tiles(columns, 32) < multiprocessors_;
  }
  int tile(std::int64_t columns) const { return small(columns) ? 16 : 32; }
  FusedLaunch sized(std::int64_t columns) const {
    FusedLaunch launch = how_;
    launch.small = small(columns);
    return launch;
  }

  void forward() {
    for (int i = 0; i < args_.encoder_layers; ++i)
      launch_fused_forward(plan_,
                           {i == 0 ? FusedSource::data : FusedSource::layer, plan_.h[0], args_.encoder[i],
                            plan_.h[i], i + 1 == args_.encoder_layers},
                           sized(args_.encoder[i].out));
    if (args_.decoder_layers == 2)
      launch_fused_forward(plan_, {FusedSource::code, {}, args_.decoder[1], plan_.g[1], false},
                           sized(args_.decoder[1].out));
    launch_fused_head(plan_, args_.decoder_layers == 1 ? FusedSource::code : FusedSource::layer,
                      sized(args_.output.out));
  }

  // Launches the kernel that computes the gradient of a hidden layer and applies the weight updates that
  // release() has queued.
  void data(const FusedDataJob& job) {
    next_.data = job;
    launch_fused_backward(plan_, next_, sized(job.layer.in));
    next_ = FusedBackward();
    released_ = 0;
  }
  void release(const FusedMatrix& d_out, FusedOutputs outputs, const FusedLayer& layer,
               const FusedMatrix& in) {
    next_.weights[released_++] = {d_out, outputs, layer, in.at, in.stride, false, 1};
  }
  void release_first() {
    next_.weights[released_++] = {plan_.d_h[0],   plain(args_.encoder[0].out),      args_.encoder[0], plan_.x,
                                  plan_.x_stride, args_.gather.source == DType::u8, plan_.x_scale};
  }

  FusedStepArgs args_;
  FusedPlan plan_;
  FusedLaunch how_;
  int multiprocessors_;
  FusedOutputs outputs_;
  FusedBackward next_ = {};
  int released_ = 0;
};

Multiply multiply_of(FusedPrecision precision) {
  switch (precision) {
    case FusedPrecision::ffma:
      return Multiply::ffma;
    case FusedPrecision::bf16:
      return Multiply::bf16;
    case FusedPrecision::tf32:
      return Multiply::tf32;
    case FusedPrecision::automatic:
    case FusedPrecision::split_tf32:
      break;
  }
  return Multiply::split_tf32;
}

}  // namespace

std::string CudaBackend::fused_step_unavailable() const {
  if (capability_ < kFirstWithTensorFloats) return "the GPU has no tensor cores for TF32";
  if (architecture_ >= kFirstWithTensorFloats) return "";
  return "this build's kernels for the GPU were compiled for compute capability " +
         architecture_name(architecture_) + ", which has no tensor cores for TF32";
}

void CudaBackend::run(const FusedStepArgs& args, StreamHandle stream) {
  require_f32("fused_step", args.gather.dtype);
  const std::string why_not = fused_step_why_not(args);
  if (!why_not.empty()) throw Error("fused_step", "expected a model that fits: " + why_not);
  const std::string unavailable = fused_step_unavailable();
  if (!unavailable.empty())
    throw Error("fused_step", "expected a GPU with the fused kernels: " + unavailable,
                ErrorKind::unsupported);
  const DeviceGuard on(device_);
  const FusedLaunch how{multiply_of(args.precision), false, architecture_ >= kFirstWithDependentLaunch,
                        stream};
  FusedSchedule(args, how, multiprocessors_).run();
}

}  // namespace gpuvae::kernels
