// Counts what the host has requested from the device since the program started. Tests compare two readings.
#pragma once

#include <cstdint>

namespace emulator {

struct Counters {
  std::uint64_t allocations;  // cudaMalloc, cudaMallocAsync, cudaMallocHost, cudaHostAlloc
  std::uint64_t frees;        // their counterparts
  // Calls that make the host wait, which include cudaFree and blocking copies.
  std::uint64_t host_synchronisations;
  // Launches by the host outside a capture. A call of cublasLtMatmul or of a cuRAND generator counts as one.
  std::uint64_t kernel_launches;
  std::uint64_t graph_launches;
  std::uint64_t tf32_products, bf16_products;  // cublasLtMatmul calls by requested compute type
  std::uint64_t kernels_run;                   // kernels that ran, including those of graphs
  std::uint64_t calls;                         // calls that need the device, since the settings last changed
};

Counters counters();

}  // namespace emulator
