// Which way a matrix product goes: cuBLASLt with its epilogue, cuBLASLt and a kernel, or kernels alone.
#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/errors.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/workspaces.h"

namespace gpuvae::kernels {
namespace {

// Whether cuBLASLt may do it all: it reads and writes vectors 16 bytes at a time, and of our activations it
// knows ReLU, behind a bias (Matmul tries out what that ReLU makes of NaN).
bool one_call(const GemmArgs& args) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(args.bias) % 16 == 0 &&
                       reinterpret_cast<std::uintptr_t>(args.sums) % 16 == 0;
  const bool relu = args.activation == Activation::relu && args.bias;
  return aligned && (args.activation == Activation::identity || relu) && !(args.bias && args.sums);
}

}  // namespace

bool CudaBackend::supports(Precision precision) const {
  constexpr int kFirstWithTensorFloats = 80;
  return precision == Precision::f32 || capability_ >= kFirstWithTensorFloats;
}

void CudaBackend::gemm(const GemmArgs& args, StreamHandle stream) {
  require_f32("gemm", args.dtype);
  check(!args.accumulate || (!args.bias && args.activation == Activation::identity), "gemm",
        "accumulation goes with neither bias nor activation");
  check(!args.sums || args.transpose_a, "gemm", "the sums of a's columns go with a transposed");
  const DeviceGuard on(device_);
  const auto multiply = [&](const GemmArgs& product) {
    return matmul_->run(product, workspaces_->matmul(stream), Workspaces::kMatmulBytes, stream);
  };
  // Vectors and empty sums are no matrix products to cuBLASLt.
  const bool matrices = args.m > 1 && args.n > 1 && args.k > 1;
  if (matrices && one_call(args) && multiply(args)) return;

  GemmArgs product = args;
  product.bias = product.sums = nullptr;
  product.activation = Activation::identity;
  if (args.sums)
    activation_backward({.rows = args.k, .columns = args.m, .d_output = args.a, .d_bias = args.sums}, stream);
  if (args.m == 0 || args.n == 0) return;
  if (!matrices || !multiply(product)) return gemm_tiled(args, stream);
  if (args.bias || args.activation != Activation::identity) add_bias_and_activate(args, stream);
}

}  // namespace gpuvae::kernels
