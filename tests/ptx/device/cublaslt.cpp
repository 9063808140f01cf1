// Emulates cuBLASLt: products of f32 matrices, whose elements are rounded to TF32 or bfloat16 if the compute
// type requests it, with sums in double, on any stream and in any graph. Every other feature returns
// CUBLAS_STATUS_NOT_SUPPORTED.
#include <cublasLt.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "cublaslt_product.h"
#include "detail.h"

namespace emulator::detail {
namespace {

struct Preference {
  std::uint64_t workspace_bytes;
};

template <class T, class Opaque>
T& inside(Opaque* opaque) {
  static_assert(sizeof(T) <= sizeof(Opaque));
  return *std::launder(reinterpret_cast<T*>(opaque));
}
template <class T, class Opaque>
const T& inside(const Opaque* opaque) {
  return inside<T>(const_cast<Opaque*>(opaque));
}
template <class T>
cublasStatus_t set(T& value, const void* from, std::size_t bytes) {
  if (!from || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&value, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
template <class T, class Opaque>
cublasStatus_t make(Opaque* opaque, std::size_t size, const T& value) {
  if (size < sizeof(T)) return CUBLAS_STATUS_ALLOC_FAILED;
  new (opaque) T(value);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace emulator::detail

using namespace emulator::detail;

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (missing_device() != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  return *handle = reinterpret_cast<cublasLtHandle_t>(new char), CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return delete reinterpret_cast<char*>(handle), CUBLAS_STATUS_SUCCESS;
}
std::size_t cublasLtGetVersion() { return CUBLAS_VERSION; }
std::size_t cublasLtGetCudartVersion() { return CUDART_VERSION; }
const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "unknown cublasStatus_t";
  }
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }
const char* cublasGetStatusName(cublasStatus_t status) { return cublasLtGetStatusName(status); }
const char* cublasGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t d, std::size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  return make(d, size,
              Operation{.compute = compute,
                        .scale = scale,
                        .pointer_mode = CUBLASLT_POINTER_MODE_HOST,
                        .transpose_a = CUBLAS_OP_N,
                        .transpose_b = CUBLAS_OP_N,
                        .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
                        .bias = nullptr,
                        .bias_type = CUDA_R_32F,
                        .mask = nullptr,
                        .mask_ld = 0});
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* d, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  return cublasLtMatmulDescInit(*d = new cublasLtMatmulDescOpaque_t{}, compute, scale);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { return delete d, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                              cublasLtMatmulDescAttributes_t attribute, const void* from,
                                              std::size_t bytes) {
  Operation& o = inside<Operation>(d);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
      return set(o.compute, from, bytes);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
      return set(o.scale, from, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return set(o.pointer_mode, from, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return set(o.transpose_a, from, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return set(o.transpose_b, from, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return set(o.epilogue, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return set(o.bias, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return set(o.bias_type, from, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return set(o.mask, from, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return set(o.mask_ld, from, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t l, std::size_t size,
                                                 cudaDataType type, std::uint64_t rows, std::uint64_t columns,
                                                 std::int64_t ld) {
  return make(l, size, Layout{type, rows, columns, ld, CUBLASLT_ORDER_COL, 1});
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* l, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t ld) {
  return cublasLtMatrixLayoutInit(*l = new cublasLtMatrixLayoutOpaque_t{}, type, rows, columns, ld);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) {
  return delete l, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* from,
                                                std::size_t bytes) {
  Layout& layout = inside<Layout>(l);
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
      return set(layout.type, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return set(layout.order, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return set(layout.rows, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return set(layout.columns, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return set(layout.ld, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return set(layout.batch, from, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t p, std::size_t size) {
  return make(p, size, Preference{0});
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* p) {
  return cublasLtMatmulPreferenceInit(*p = new cublasLtMatmulPreferenceOpaque_t{});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
  return delete p, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* from, std::size_t bytes) {
  const bool workspace = attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
  return workspace ? set(inside<Preference>(p).workspace_bytes, from, bytes) : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
  if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const Product p{inside<Operation>(operation),
                  inside<Layout>(a),
                  inside<Layout>(b),
                  inside<Layout>(c),
                  inside<Layout>(d),
                  1,
                  0,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr};
  *returned = p.status() == CUBLAS_STATUS_SUCCESS ? 1 : 0;
  if (*returned) results[0] = {};
  return p.status();
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t layout_a, const void* b,
                              cublasLtMatrixLayout_t layout_b, const void* beta, const void* c,
                              cublasLtMatrixLayout_t layout_c, void* d, cublasLtMatrixLayout_t layout_d,
                              const cublasLtMatmulAlgo_t*, void* workspace, std::size_t workspace_bytes,
                              cudaStream_t stream) {
  if (!handle || !alpha || !beta) return CUBLAS_STATUS_INVALID_VALUE;
  Product p{inside<Operation>(operation),
            inside<Layout>(layout_a),
            inside<Layout>(layout_b),
            inside<Layout>(layout_c),
            inside<Layout>(layout_d),
            0,
            0,
            static_cast<const float*>(a),
            static_cast<const float*>(b),
            static_cast<const float*>(c),
            static_cast<float*>(d)};
  if (const cublasStatus_t status = p.status(); status != CUBLAS_STATUS_SUCCESS) return status;
  p.alpha = *static_cast<const float*>(alpha);
  p.beta = *static_cast<const float*>(beta);
  p.relu_hides_nan = std::getenv("PTX_RELU_HIDES_NAN") != nullptr;
  p.relu_mask_at_zero = std::getenv("PTX_RELU_MASK_AT_ZERO") != nullptr;
  if (std::getenv("PTX_TF32_AS_F32")) p.operation.compute_tf32_as_f32();
  const std::scoped_lock lock(device_mutex());
  if (count_call() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  const cublasComputeType_t asked = inside<Operation>(operation).compute;
  counters().tf32_products += asked == CUBLAS_COMPUTE_32F_FAST_TF32;
  counters().bf16_products += asked == CUBLAS_COMPUTE_32F_FAST_16BF;
  check_operands(p);
  check_operand("the workspace", workspace, workspace_bytes, p);
  if (!is_capturing(stream)) ++counters().kernel_launches;
  const cudaError_t queued = enqueue(stream, cudaGraphNodeTypeKernel, [=] { run(p); });
  return queued == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
