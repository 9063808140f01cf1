#include "bench/gpu_probe_lt.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "gpuvae/error.h"
#include "gpuvae/tensor.h"
#include "kernels/cuda/runtime/cublaslt.h"

namespace gpuvae::bench {
namespace {

using kernels::cublaslt;

constexpr std::size_t kWorkspaceBytes = 32 << 20;
constexpr int kMaxAlgorithms = 8;

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error("cublaslt", std::string(call) + ": " + cublaslt().status_string(status));
}

cublasComputeType_t compute_type(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    case Precision::f32:
      break;
  }
  return CUBLAS_COMPUTE_32F;
}

// cuBLASLt computes the transposed product, so its B is the operand a of LtProduct.
cublasLtEpilogue_t epilogue_of(LtEpilogue epilogue) {
  switch (epilogue) {
    case LtEpilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case LtEpilogue::relu:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case LtEpilogue::relu_mask:
      return CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
    case LtEpilogue::sums:
      return CUBLASLT_EPILOGUE_BGRADB;
    case LtEpilogue::through_relu:
      return CUBLASLT_EPILOGUE_DRELU_BGRAD;
    case LtEpilogue::none:
      break;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

// The process shares one handle because creating one takes milliseconds.
cublasLtHandle_t shared_handle() {
  static const cublasLtHandle_t handle = [] {
    cublasLtHandle_t made = nullptr;
    check(cublaslt().create(&made), "cublasLtCreate");
    return made;
  }();
  return handle;
}

// Owns the descriptors of one product.
class Description {
 public:
  Description(const LtProduct& p, void* vector, void* mask) {
    check(cublaslt().operation_create(&operation, compute_type(p.precision), CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    first = p.transpose_b ? layout(p.k, p.n) : layout(p.n, p.k);
    second = p.transpose_a ? layout(p.m, p.k) : layout(p.k, p.m);
    result = layout(p.n, p.m);
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p.epilogue));
    if (p.epilogue != LtEpilogue::none) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    if (p.epilogue != LtEpilogue::relu_mask && p.epilogue != LtEpilogue::through_relu) return;
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, mask);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.mask_stride());
  }
  ~Description() {
    for (cublasLtMatrixLayout_t made : {first, second, result})
      if (made) cublaslt().layout_destroy(made);
    if (operation) cublaslt().operation_destroy(operation);
    if (preference) cublaslt().preference_destroy(preference);
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

  // Returns null if there is no algorithm.
  const cublasLtMatmulAlgo_t* choose(LtAnswer& answer) {
    check(cublaslt().preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    check(cublaslt().preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspaceBytes,
                                    sizeof kWorkspaceBytes),
          "cublasLtMatmulPreferenceSetAttribute");
    const cublasStatus_t status =
        cublaslt().heuristic(shared_handle(), operation, first, second, result, result, preference,
                             kMaxAlgorithms, found, &answer.found);
    if (status != CUBLAS_STATUS_SUCCESS) answer.found = 0;
    if (answer.found == 0) {
      answer.status = std::string("no algorithm: ") + cublaslt().status_string(status);
      return nullptr;
    }
    answer.workspace_bytes = found[0].workspaceSize;
    answer.waves = found[0].wavesCount;
    return &found[0].algo;
  }

  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t found[kMaxAlgorithms] = {};

 private:
  static cublasLtMatrixLayout_t layout(std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublaslt().layout_create(&made, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), rows),
          "cublasLtMatrixLayoutCreate");
    return made;
  }
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    check(cublaslt().operation_set(operation, attribute, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  }
};

}  // namespace

LtAnswer run_product(const LtProduct& product, const void* a, const void* b, void* c, void* vector,
                     void* mask, Device device) {
  const Stream stream = Stream::current(device);
  const Tensor workspace = Tensor::empty({kWorkspaceBytes}, DType::u8, device);
  Description d(product, vector, mask);
  LtAnswer answer;
  const cublasLtMatmulAlgo_t* algorithm = d.choose(answer);
  if (!algorithm) return answer;
  const float one = 1, zero = 0;
  const cublasStatus_t status = cublaslt().matmul(
      shared_handle(), d.operation, &one, b, d.first, a, d.second, &zero, c, d.result, c, d.result, algorithm,
      workspace.data(), kWorkspaceBytes, static_cast<cudaStream_t>(stream.handle()));
  stream.synchronize();
  answer.status = status == CUBLAS_STATUS_SUCCESS ? "ok" : cublaslt().status_string(status);
  return answer;
}

}  // namespace gpuvae::bench
