#include "kernels/cuda/runtime/cublaslt.h"

#include "kernels/cuda/runtime/dynamic_library.h"

namespace gpuvae::kernels {
namespace {

CublasLt load_cublaslt() {
  const ToolkitLibrary library = {"gemm",           "cuBLASLt",       "matrix products on the GPU need",
                                  "libcublasLt.so", CUBLAS_VER_MAJOR, "cublasLtMatmul"};
  void* handle = open_library(library);
  CublasLt lt;
  find_function(library, handle, "cublasLtCreate", lt.create);
  find_function(library, handle, "cublasLtDestroy", lt.destroy);
  find_function(library, handle, "cublasLtGetStatusString", lt.status_string);
  find_function(library, handle, "cublasLtMatmul", lt.matmul);
  find_function(library, handle, "cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  find_function(library, handle, "cublasLtMatmulDescCreate", lt.operation_create);
  find_function(library, handle, "cublasLtMatmulDescDestroy", lt.operation_destroy);
  find_function(library, handle, "cublasLtMatmulDescSetAttribute", lt.operation_set);
  find_function(library, handle, "cublasLtMatrixLayoutCreate", lt.layout_create);
  find_function(library, handle, "cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  find_function(library, handle, "cublasLtMatmulPreferenceCreate", lt.preference_create);
  find_function(library, handle, "cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  find_function(library, handle, "cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  return lt;
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt functions = load_cublaslt();
  return functions;
}

}  // namespace gpuvae::kernels
