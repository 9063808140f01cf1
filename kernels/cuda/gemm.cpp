// Which way a matrix product goes: cuBLASLt with its epilogue, cuBLASLt and a kernel, or kernels alone.
#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/errors.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/workspaces.h"

namespace gpuvae::kernels {
namespace {

// cuBLASLt reads the bias 16 bytes at a time, knows none of our activations but ReLU, and does not promise
// that its ReLU keeps NaN, which hides a run that diverged.
bool has_epilogue(const GemmArgs& args) {
  return args.activation == Activation::identity && reinterpret_cast<std::uintptr_t>(args.bias) % 16 == 0;
}

}  // namespace

bool CudaBackend::supports(Precision precision) const {
  constexpr int kFirstWithTensorFloats = 80;
  return precision == Precision::f32 || capability_ >= kFirstWithTensorFloats;
}

void CudaBackend::gemm(const GemmArgs& args, StreamHandle stream) {
  require_f32("gemm", args.dtype);
  const bool plain = !args.bias && args.activation == Activation::identity;
  check(plain || !args.accumulate, "gemm", "accumulation goes with neither bias nor activation");
  if (args.m == 0 || args.n == 0) return;
  const DeviceGuard on(device_);
  // Vectors and empty sums are no matrix products to cuBLASLt.
  if (args.m == 1 || args.n == 1 || args.k <= 1) return gemm_tiled(args, stream);

  GemmArgs product = args;
  const bool fused = has_epilogue(args);
  if (!fused) {
    product.bias = nullptr;
    product.activation = Activation::identity;
  }
  if (!matmul_->run(product, workspaces_->matmul(stream), Workspaces::kMatmulBytes, stream))
    return gemm_tiled(args, stream);
  if (!fused) add_bias_and_activate(args, stream);
}

}  // namespace gpuvae::kernels
