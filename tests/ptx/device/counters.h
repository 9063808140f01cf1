// What the host has asked of the device since the program started. Tests compare two readings.
#pragma once

#include <cstdint>

namespace emulator {

struct Counters {
  std::uint64_t allocations;  // cudaMalloc, cudaMallocAsync, cudaMallocHost, cudaHostAlloc
  std::uint64_t frees;        // their counterparts
  std::uint64_t
      host_synchronisations;      // calls that make the host wait, cudaFree and blocking copies among them
  std::uint64_t kernel_launches;  // by the host, outside a capture; a cublasLtMatmul is one
  std::uint64_t graph_launches;
  std::uint64_t tf32_products, bf16_products;  // of cublasLtMatmul, by the compute type asked for
  std::uint64_t kernels_run;                   // executed, also as part of a graph
};

Counters counters();

}  // namespace emulator
