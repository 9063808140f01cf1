#include "src/train/distributed/mpi_plugin.h"

#include <mpi.h>

#include <algorithm>

namespace {

MPI_Comm world = MPI_COMM_NULL;
bool owns_mpi = false;

const char* error_of(int status) {
  static char text[MPI_MAX_ERROR_STRING];
  if (status == MPI_SUCCESS) return nullptr;
  int length = 0;
  MPI_Error_string(status, text, &length);
  return text;
}

const char* start(int* rank, int* size) {
  int initialised = 0, provided = 0;
  MPI_Initialized(&initialised);
  owns_mpi = !initialised;
  if (owns_mpi)
    if (const char* error = error_of(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided)))
      return error;
  if (const char* error = error_of(MPI_Comm_dup(MPI_COMM_WORLD, &world))) return error;
  MPI_Comm_set_errhandler(world, MPI_ERRORS_RETURN);
  MPI_Comm_rank(world, rank);
  MPI_Comm_size(world, size);
  return nullptr;
}

template <class T>
const char* sum(T* values, std::int64_t count, MPI_Datatype type) {
  constexpr std::int64_t kMostAtOnce = 1 << 30;  // MPI's counts are ints
  for (std::int64_t done = 0; done < count; done += kMostAtOnce) {
    const auto now = static_cast<int>(std::min(kMostAtOnce, count - done));
    if (const char* error = error_of(MPI_Allreduce(MPI_IN_PLACE, values + done, now, type, MPI_SUM, world)))
      return error;
  }
  return nullptr;
}
const char* sum_f32(float* values, std::int64_t count) { return sum(values, count, MPI_FLOAT); }
const char* sum_f64(double* values, std::int64_t count) { return sum(values, count, MPI_DOUBLE); }

void stop() {
  MPI_Comm_free(&world);
  if (owns_mpi) MPI_Finalize();
}

void abort_ranks(int exit_status) { MPI_Abort(world, exit_status); }

}  // namespace

extern "C" const gpuvae::MpiPlugin* gpuvae_mpi_plugin() {
  static const gpuvae::MpiPlugin plugin{start, sum_f32, sum_f64, stop, abort_ranks};
  return &plugin;
}
