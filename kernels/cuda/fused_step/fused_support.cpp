// Reports whether the device has the kernels of the fused step.
#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/runtime/architecture.h"

namespace gpuvae::kernels {

std::string CudaBackend::fused_step_unavailable() const {
  if (capability_ < kFirstWithTensorFloats) return "the GPU has no tensor cores for TF32";
  if (architecture_ >= kFirstWithTensorFloats) return "";
  return "this build's kernels for the GPU were compiled for compute capability " +
         architecture_name(architecture_) + ", which has no tensor cores for TF32";
}

void CudaBackend::check_fused_step(const FusedStepArgs& args) const {
  const std::string why_not = fused_step_why_not(args);
  if (!why_not.empty()) fail("fused_step", "expected a model that fits: {}", why_not);
  const std::string unavailable = fused_step_unavailable();
  if (!unavailable.empty())
    fail(unsupported("fused_step"), "expected a GPU with the fused kernels: {}", unavailable);
}

}  // namespace gpuvae::kernels
