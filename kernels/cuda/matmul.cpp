#include "kernels/cuda/matmul.h"

#include <array>

#include "kernels/check.h"
#include "kernels/cuda/capture.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

void check_lt(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("gemm", "{}: {}", call, cublaslt().status_string(status));
}

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, T value) {
  check_lt(cublaslt().operation_set(operation, attribute, &value, sizeof value),
           "cublasLtMatmulDescSetAttribute");
}

template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  check_lt(cublaslt().preference_set(preference, attribute, &value, sizeof value),
           "cublasLtMatmulPreferenceSetAttribute");
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

// Slices of an arena are aligned to 4 bytes only, and algorithms differ in what they need.
unsigned alignment_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 ? 16 : 4;
}

}  // namespace

// cuBLASLt is column-major, where a row-major matrix appears transposed: it computes c' = b' a', whose
// [n, m] lies as our c of [m, n], with our b as its first matrix.
struct Matmul::Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  std::size_t workspace_bytes = 0;
  bool usable = false;

  ~Plan() {
    const CublasLt& lt = cublaslt();
    if (preference) lt.preference_destroy(preference);
    for (cublasLtMatrixLayout_t layout : {first, second, result})
      if (layout) lt.layout_destroy(layout);
    if (operation) lt.operation_destroy(operation);
  }

  void describe(const Key& key) {
    const CublasLt& lt = cublaslt();
    const auto layout = [&](cublasLtMatrixLayout_t& made, std::int64_t rows, std::int64_t columns) {
      check_lt(lt.layout_create(&made, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                static_cast<std::uint64_t>(columns), rows),
               "cublasLtMatrixLayoutCreate");
    };
    key.transpose_b ? layout(first, key.k, key.n) : layout(first, key.n, key.k);
    key.transpose_a ? layout(second, key.m, key.k) : layout(second, key.k, key.m);
    layout(result, key.n, key.m);
    check_lt(lt.operation_create(&operation, compute_type(key.precision), CUDA_R_32F),
             "cublasLtMatmulDescCreate");
    set(operation, CUBLASLT_MATMUL_DESC_TRANSA, key.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(operation, CUBLASLT_MATMUL_DESC_TRANSB, key.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
        key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
  }

  void choose(cublasLtHandle_t handle, const Key& key, std::size_t most_workspace) {
    const CublasLt& lt = cublaslt();
    check_lt(lt.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{key.alignment_b});
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{key.alignment_a});
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{key.alignment_c});
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{key.alignment_c});
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    const cublasStatus_t status =
        lt.heuristic(handle, operation, first, second, result, result, preference, 1, &best, &found);
    usable = status == CUBLAS_STATUS_SUCCESS && found > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    algorithm = best.algo;
    workspace_bytes = best.workspaceSize;
  }
};

Matmul::Matmul() = default;

Matmul::~Matmul() {
  plans_.clear();
  if (handle_) cublaslt().destroy(handle_);
}

Matmul::Key Matmul::key_of(const GemmArgs& args) {
  return {args.m,
          args.n,
          args.k,
          args.transpose_a,
          args.transpose_b,
          args.accumulate,
          args.bias != nullptr,
          args.precision,
          alignment_of(args.a),
          alignment_of(args.b),
          alignment_of(args.c)};
}

std::unique_ptr<Matmul::Plan> Matmul::make_plan(const Key& key, std::size_t workspace_bytes) {
  if (!handle_) check_lt(cublaslt().create(&handle_), "cublasLtCreate");
  auto plan = std::make_unique<Plan>();
  plan->describe(key);
  plan->choose(handle_, key, workspace_bytes);
  return plan;
}

bool Matmul::run(const GemmArgs& args, void* workspace, std::size_t workspace_bytes, StreamHandle stream) {
  const std::lock_guard lock(mutex_);  // also for the bias pointer, which belongs to the plan
  const Key key = key_of(args);
  std::unique_ptr<Plan>& plan = plans_[key];
  if (!plan) {
    // cuBLASLt may refuse to choose an algorithm inside a capture, or load one's code there.
    check(!is_capturing(static_cast<cudaStream_t>(stream)), "gemm",
          "the first product of m {}, n {}, k {} is inside a captured graph: run the step once before",
          args.m, args.n, args.k);
    plan = make_plan(key, workspace_bytes);
  }
  if (!plan->usable) return false;
  if (args.bias) set(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, args.bias);
  const float one = 1.0f, beta = args.accumulate ? 1.0f : 0.0f;
  const cublasStatus_t status =
      cublaslt().matmul(handle_, plan->operation, &one, args.b, plan->first, args.a, plan->second, &beta,
                        args.c, plan->result, args.c, plan->result, &plan->algorithm, workspace,
                        plan->workspace_bytes, static_cast<cudaStream_t>(stream));
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) plan->usable = false;
  if (status != CUBLAS_STATUS_SUCCESS && status != CUBLAS_STATUS_NOT_SUPPORTED)
    fail("gemm", "cublasLtMatmul, m {}, n {}, k {}: {}", args.m, args.n, args.k,
         cublaslt().status_string(status));
  if (plan->usable) count_launch();
  return plan->usable;
}

}  // namespace gpuvae::kernels
