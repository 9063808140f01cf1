#include "apps/program/calm_openmp.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gpuvae::apps {

void calm_openmp(char** argv) {
  constexpr const char* kSpins = "2000";  // about as long as the gaps within a step: see bench/NOTES.md
  // GOMP_SPINCOUNT is also set after the restart, which ends it. Keep the settings that bind threads out of
  // it: this thread is bound already, and a restarted program would inherit its one CPU for all of its
  // threads.
  for (const char* name :
       {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (std::getenv(name)) return;
  std::error_code error;  // the program's path rather than /proc/self/exe, so that it keeps its name
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  setenv("GOMP_SPINCOUNT", kSpins, 1);
  execv(self.c_str(), argv);  // returns only if it failed, and then OpenMP's default holds
}

}  // namespace gpuvae::apps
