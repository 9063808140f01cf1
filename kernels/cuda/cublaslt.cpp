#include "kernels/cuda/cublaslt.h"

#include <dlfcn.h>

#include <string>
#include <vector>

#include "kernels/check.h"

namespace gpuvae::kernels {
namespace {

// Where the process already has cuBLASLt, its copy is used: two would not share their state.
void* open_library() {
  if (dlsym(RTLD_DEFAULT, "cublasLtMatmul")) return RTLD_DEFAULT;
  const std::string versioned = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  std::vector<std::string> names = {versioned};
#ifdef GPUVAE_CUDA_LIBRARY_DIR
  names.push_back(GPUVAE_CUDA_LIBRARY_DIR "/" + versioned);
#endif
  names.push_back("libcublasLt.so");
  std::string problems;
  for (const std::string& name : names) {
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    const char* problem = dlerror();
    problems += "\n  " + (problem ? std::string(problem) : name);
  }
  fail("gemm", "matrix products on the GPU need cuBLASLt, which comes with the CUDA Toolkit; none loads:{}",
       problems);
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  check(function != nullptr, "gemm", "cuBLASLt {}.{} or newer is expected, but this one lacks {}",
        CUBLAS_VER_MAJOR, CUBLAS_VER_MINOR, name);
}

CublasLt load() {
  void* library = open_library();
  CublasLt lt;
  find(library, "cublasLtCreate", lt.create);
  find(library, "cublasLtDestroy", lt.destroy);
  find(library, "cublasLtGetStatusString", lt.status_string);
  find(library, "cublasLtMatmul", lt.matmul);
  find(library, "cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  find(library, "cublasLtMatmulDescCreate", lt.operation_create);
  find(library, "cublasLtMatmulDescDestroy", lt.operation_destroy);
  find(library, "cublasLtMatmulDescSetAttribute", lt.operation_set);
  find(library, "cublasLtMatrixLayoutCreate", lt.layout_create);
  find(library, "cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  find(library, "cublasLtMatmulPreferenceCreate", lt.preference_create);
  find(library, "cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  find(library, "cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  return lt;
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt functions = load();
  return functions;
}

}  // namespace gpuvae::kernels
