#include "kernels/fused_step.h"

#include <fmt/format.h>

#include "kernels/backend.h"
#include "kernels/fused_workspace.h"
#include "kernels/math/functions.h"

namespace gpuvae::kernels {
namespace {

std::string hidden_layers(const char* name, int layers, const FusedLayer (&widths)[kFusedMaxLayers]) {
  if (layers < 1 || layers > kFusedMaxLayers)
    return fmt::format("the {} has {} hidden layers (1 or {} are supported)", name, layers, kFusedMaxLayers);
  for (int i = 0; i < layers; ++i)
    if (widths[i].out > kFusedMaxHidden)
      return fmt::format("the {} has a hidden layer of {} units (at most {})", name, widths[i].out,
                         kFusedMaxHidden);
  return "";
}

}  // namespace

std::string fused_step_why_not(const FusedStepArgs& args) {
  if (std::string why = hidden_layers("encoder", args.encoder_layers, args.encoder); !why.empty()) return why;
  if (std::string why = hidden_layers("decoder", args.decoder_layers, args.decoder); !why.empty()) return why;
  if (!math::slope_from_output(args.activation))
    return fmt::format(
        "the gradient of {} needs the layer's pre-activations, which the fused kernels do not keep",
        name(args.activation));
  if (args.posterior.latent > kFusedMaxLatent)
    return fmt::format("the latent code has {} dimensions (at most {})", args.posterior.latent,
                       kFusedMaxLatent);
  if (args.gather.batch > kFusedMaxBatch)
    return fmt::format("the batch size is {} (at most {})", args.gather.batch, kFusedMaxBatch);
  if (args.gather.columns > (1 << 24))
    return fmt::format("an example has {} features (at most {})", args.gather.columns, 1 << 24);
  if (args.likelihood.kind != LikelihoodKind::bernoulli && args.likelihood.kind != LikelihoodKind::gaussian)
    return "the likelihood is neither Bernoulli with logits nor Gaussian";
  if (args.posterior.epsilon) return "the noise epsilon is given, but the fused step draws its own";
  if (args.optimizer.gradient_scale)
    return "gradients are clipped by their norm, which requires all gradients first";
  return "";
}

std::size_t fused_step_workspace(const FusedStepArgs& args) {
  return fused_step_why_not(args).empty() ? FusedWorkspace(args).bytes : 0;
}

}  // namespace gpuvae::kernels
