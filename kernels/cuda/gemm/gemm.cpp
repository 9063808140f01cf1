// Chooses how a matrix product is computed: by one call of cuBLASLt with an epilogue, by cuBLASLt and a
// kernel for the epilogue, or by this library's own kernels alone.
#include <array>

#include "kernels/check.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm/matmul.h"
#include "kernels/cuda/runtime/architecture.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/cuda/runtime/workspaces.h"

namespace gpuvae::kernels {
namespace {

// Returns whether one call of cuBLASLt may compute the product with its epilogue. cuBLASLt accesses bias,
// sums and mask 16 bytes at a time, so they must be aligned to that. Of this library's activations, it
// computes only ReLU after a bias (Matmul tests its results for NaN and 0), and it computes ReLU's derivative
// only from the mask.
bool one_call(const GemmArgs& args) {
  const std::array<const void*, 4> vectors = {args.bias, args.sums, args.relu.bits, args.relu.d_bias};
  for (const void* vector : vectors)
    if (reinterpret_cast<std::uintptr_t>(vector) % 16 != 0) return false;
  const bool relu = args.activation == Activation::relu && args.bias;
  return (args.activation == Activation::identity || relu) && !(args.bias && args.sums) &&
         (!args.relu.output || args.relu.bits);
}

void check_combination(const GemmArgs& args) {
  const bool plain = !args.bias && args.activation == Activation::identity;
  check(!args.accumulate || plain, "gemm", "accumulate excludes bias and activation");
  check(!args.sums || args.transpose_a, "gemm", "sums requires transpose_a");
  check(!args.relu.output || (plain && !args.accumulate && !args.sums && args.relu.d_bias), "gemm",
        "relu.output requires relu.d_bias, and excludes bias, activation, accumulate and sums");
  check(args.relu.output || !args.relu.bits ||
            (args.bias && args.activation == Activation::relu && args.relu.written),
        "gemm", "relu.bits without relu.output requires bias, Activation::relu and relu.written");
}

}  // namespace

// cuBLASLt brings its own kernels, so support depends on the device and not on the architectures of this
// build.
bool CudaBackend::supports(Precision precision) const {
  return precision == Precision::f32 || capability_ >= kFirstWithTensorFloats;
}

std::size_t CudaBackend::relu_mask_bytes(std::int64_t m, std::int64_t n) const {
  return static_cast<std::size_t>(Matmul::mask_stride(n) / 8 * m);
}

void CudaBackend::run(const GemmArgs& args, StreamHandle stream) {
  require_f32("gemm", args.dtype);
  check_combination(args);
  const DeviceGuard on(device_);
  const auto multiply = [&](const GemmArgs& product) {
    return matmul_->run(product, workspaces_->matmul(stream), Workspaces::kMatmulBytes, stream);
  };
  // Products with a dimension of 0 or 1 do not use cuBLASLt, which does not accept vectors or empty sums.
  const bool matrices = args.m > 1 && args.n > 1 && args.k > 1;
  const bool done = matrices && one_call(args) && multiply(args);
  if (args.relu.written) *args.relu.written = done;
  if (done) return;

  GemmArgs product = args;
  product.relu = {};
  if (args.relu.written) return run(product, stream);
  product.bias = product.sums = nullptr;
  product.activation = Activation::identity;
  if (args.m > 0 && args.n > 0) {
    if (!matrices || !multiply(product))
      gemm_tiled(args, stream);
    else if (args.bias || args.activation != Activation::identity)
      add_bias_and_activate(args, stream);
  }
  add_bias_gradient(args, stream);
}

// Computes what the cuBLASLt call did not: the sums of a's columns, or the backward pass of ReLU and the sums
// of c's columns.
void CudaBackend::add_bias_gradient(const GemmArgs& args, StreamHandle stream) {
  ActivationBackwardArgs sums{.rows = args.k, .columns = args.m, .d_output = args.a, .d_bias = args.sums};
  if (args.relu.output) {
    sums = {.rows = args.m, .columns = args.n, .activation = Activation::relu, .saved = args.relu.output};
    sums.d_output = sums.d_input = args.c;
    sums.d_bias = args.relu.d_bias;
  }
  if (sums.d_bias) run(sums, stream);
}

}  // namespace gpuvae::kernels
