// The interface of the shared library libgpuvae_mpi.so, which alone is linked with MPI. The library loads it
// only in processes that mpirun started, so that other processes need no MPI.
#pragma once

#include <cstdint>

namespace gpuvae {

// Functions return null, or a description of the error.
struct MpiPlugin {
  const char* (*start)(int* rank, int* size);
  // @{
  // Replaces the elements by their sums over the ranks.
  const char* (*sum_f32)(float* values, std::int64_t count);
  const char* (*sum_f64)(double* values, std::int64_t count);
  // @}
  void (*stop)();
  void (*abort)(int exit_status);
};
// The name and the type of the function that the library exports.
inline constexpr const char* kMpiPluginFunction = "gpuvae_mpi_plugin";
using MpiPluginFunction = const MpiPlugin* (*)();

}  // namespace gpuvae
