#include "kernels/cuda/gemm/matmul.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/check.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/runtime/capture.h"
#include "kernels/cuda/runtime/cublaslt.h"
#include "kernels/cuda/runtime/errors.h"
#include "kernels/cuda/runtime/workspaces.h"

namespace gpuvae::kernels {
namespace {

void check_lt(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(Origin("gemm", ErrorKind::cuda), "{}: {}", call, cublaslt().status_string(status));
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

// Slices of an arena are aligned to only 4 bytes, and algorithms differ in the alignment that they require.
unsigned alignment_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 ? 16 : 4;
}

}  // namespace

// cuBLASLt is column-major, so a row-major matrix appears transposed to it. It therefore computes c' = b' a'
// with our b as its first matrix. Its result of [n, m] has the memory layout of our c of [m, n].
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
    set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(key.epilogue));
    if (key.epilogue == Epilogue::bias_relu_bits || key.epilogue == Epilogue::through_relu)
      set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_stride(key.n));
  }
  // Because a and b are exchanged, the sums over our a are cuBLASLt's sums over B.
  static cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
    switch (epilogue) {
      case Epilogue::bias:
        return CUBLASLT_EPILOGUE_BIAS;
      case Epilogue::bias_relu:
        return CUBLASLT_EPILOGUE_RELU_BIAS;
      case Epilogue::bias_relu_bits:
        return CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
      case Epilogue::through_relu:
        return CUBLASLT_EPILOGUE_DRELU_BGRAD;
      case Epilogue::sums:
        return CUBLASLT_EPILOGUE_BGRADB;
      case Epilogue::none:
        break;
    }
    return CUBLASLT_EPILOGUE_DEFAULT;
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

  void point_at(const GemmArgs& args) {
    const void* vector = args.bias ? args.bias : args.sums ? args.sums : args.relu.d_bias;
    if (vector) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    if (args.relu.bits) set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, args.relu.bits);
  }

  // Clears `usable` if cuBLASLt turns out not to support the product.
  void run(cublasLtHandle_t handle, const GemmArgs& args, void* workspace, cudaStream_t stream) {
    point_at(args);
    const float one = 1.0f, beta = args.accumulate ? 1.0f : 0.0f;
    const cublasStatus_t status =
        cublaslt().matmul(handle, operation, &one, args.b, first, args.a, second, &beta, args.c, result,
                          args.c, result, &algorithm, workspace, workspace_bytes, stream);
    // After any other failure, a later product of this kind must not use other kernels, which round
    // differently.
    usable = status != CUBLAS_STATUS_NOT_SUPPORTED;
    if (usable && status != CUBLAS_STATUS_SUCCESS)
      fail(Origin("gemm", ErrorKind::cuda), "cublasLtMatmul, m {}, n {}, k {}: {}", args.m, args.n, args.k,
           cublaslt().status_string(status));
  }

  // Returns whether the algorithm's ReLU keeps NaN and its mask is x > 0, as in our kernels. NVIDIA documents
  // ReLU as max(x, 0), which may turn NaN into 0 and so hide a diverged run, and does not specify the mask at
  // exactly 0. The algorithm is therefore run with a = 0 and biases that show the difference; the real
  // product overwrites c and the mask afterwards. Waits for the device.
  bool has_our_relu(cublasLtHandle_t handle, const GemmArgs& args, void* workspace, cudaStream_t stream) {
    const auto a_bytes = static_cast<std::size_t>(args.m * args.k) * sizeof(float);
    const auto row_bytes = static_cast<std::size_t>(args.n) * sizeof(float);
    const DeviceMemory zeros = allocate_for_trial(a_bytes), bias = allocate_for_trial(row_bytes);
    check_cuda(cudaMemsetAsync(zeros.get(), 0, a_bytes, stream), "gemm", "cudaMemsetAsync");
    GemmArgs trial = args;
    trial.a = zeros.get();
    trial.bias = bias.get();
    for (const float x : {std::numeric_limits<float>::quiet_NaN(), -1.0f, -0.0f, 0.0f, 1.0f}) {
      const std::vector<float> row(static_cast<std::size_t>(args.n), x);
      check_cuda(cudaMemcpyAsync(bias.get(), row.data(), row_bytes, cudaMemcpyHostToDevice, stream), "gemm",
                 "cudaMemcpyAsync");
      run(handle, trial, workspace, stream);
      if (!usable || !is_relu_of(x, args, stream)) return false;
    }
    return true;
  }

 private:
  static DeviceMemory allocate_for_trial(std::size_t bytes) {
    void* pointer = nullptr;
    check_cuda(cudaMalloc(&pointer, bytes), "gemm", "cudaMalloc for a trial of ReLU");
    return DeviceMemory(pointer);
  }

  // Returns whether the first row of c, and of the mask if there is one, equals the result of our own kernels
  // for x.
  static bool is_relu_of(float x, const GemmArgs& args, cudaStream_t stream) {
    std::vector<float> row(static_cast<std::size_t>(args.n));
    std::vector<std::uint8_t> bits(args.relu.bits ? static_cast<std::size_t>(mask_stride(args.n) / 8) : 0);
    check_cuda(
        cudaMemcpyAsync(row.data(), args.c, row.size() * sizeof(float), cudaMemcpyDeviceToHost, stream),
        "gemm", "cudaMemcpyAsync");
    if (args.relu.bits)
      check_cuda(cudaMemcpyAsync(bits.data(), args.relu.bits, bits.size(), cudaMemcpyDeviceToHost, stream),
                 "gemm", "cudaMemcpyAsync");
    check_cuda(cudaStreamSynchronize(stream), "gemm", "cudaStreamSynchronize");
    for (std::size_t j = 0; j < row.size(); ++j) {
      const bool same = std::isnan(x) ? std::isnan(row[j]) : row[j] == std::max(x, 0.0f);
      const bool bit = !bits.empty() && (bits[j / 8] >> j % 8 & 1);
      if (!same || (!bits.empty() && bit != (x > 0))) return false;
    }
    return true;
  }
};

Matmul::Matmul() = default;

Matmul::~Matmul() {
  plans_.clear();
  if (handle_) cublaslt().destroy(handle_);
}

Matmul::Epilogue Matmul::epilogue_of_args(const GemmArgs& args) {
  if (args.relu.output) return Epilogue::through_relu;
  if (!args.bias) return args.sums ? Epilogue::sums : Epilogue::none;
  if (args.activation != Activation::relu) return Epilogue::bias;
  return args.relu.bits ? Epilogue::bias_relu_bits : Epilogue::bias_relu;
}

Matmul::Key Matmul::key_of(const GemmArgs& args) {
  return {args.m,
          args.n,
          args.k,
          args.transpose_a,
          args.transpose_b,
          args.accumulate,
          epilogue_of_args(args),
          args.precision,
          alignment_of(args.a),
          alignment_of(args.b),
          alignment_of(args.c)};
}

std::unique_ptr<Matmul::Plan> Matmul::make_plan(const GemmArgs& args, void* workspace,
                                                std::size_t workspace_bytes, StreamHandle stream) {
  if (!handle_) check_lt(cublaslt().create(&handle_), "cublasLtCreate");
  const Key key = key_of(args);
  auto plan = std::make_unique<Plan>();
  plan->describe(key);
  plan->point_at(args);  // the heuristic rejects an epilogue whose bias pointer is not set
  plan->choose(handle_, key, workspace_bytes);
  if (plan->usable && (key.epilogue == Epilogue::bias_relu || key.epilogue == Epilogue::bias_relu_bits))
    plan->usable = plan->has_our_relu(handle_, args, workspace, static_cast<cudaStream_t>(stream));
  return plan;
}

bool Matmul::run(const GemmArgs& args, void* workspace, std::size_t workspace_bytes, StreamHandle stream) {
  const std::lock_guard lock(mutex_);  // also protects the bias pointer, which is part of the plan
  std::unique_ptr<Plan>& plan = plans_[key_of(args)];
  if (!plan) {
    // During a capture, cuBLASLt may refuse to choose an algorithm, or may load the algorithm's code.
    check(!is_capturing(static_cast<cudaStream_t>(stream)), "gemm",
          "expected the first product of m {}, n {}, k {} before a graph is captured, got it during a "
          "capture: run the step once before",
          args.m, args.n, args.k);
    plan = make_plan(args, workspace, workspace_bytes, stream);
  }
  if (!plan->usable) return false;
  plan->run(handle_, args, workspace, static_cast<cudaStream_t>(stream));
  if (plan->usable) count_launch();
  return plan->usable;
}

}  // namespace gpuvae::kernels
