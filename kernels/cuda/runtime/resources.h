// What the CUDA backend of one device creates while it runs.
#pragma once

#include "kernels/cuda/backend.h"
#include "kernels/cuda/gemm/matmul.h"
#include "kernels/cuda/runtime/curand.h"
#include "kernels/cuda/runtime/workspaces.h"

namespace gpuvae::kernels {

struct CudaBackend::Resources {
  Workspaces workspaces;
  Matmul matmul;
  Curand curand;
};

}  // namespace gpuvae::kernels
