#include "apps/program/calm_openmp.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gpuvae::apps {

void calm_openmp(char** argv) {
  constexpr const char* kSpins = "2000";  // about as long as the gaps within a step: see bench/NOTES.md
  // Each of these variables prevents the restart. GOMP_SPINCOUNT is set by the restart itself, which
  // therefore happens only once. Keep the variables that bind threads in this list: this thread is bound
  // already, and all threads of a restarted process would inherit its single CPU.
  for (const char* name :
       {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (std::getenv(name)) return;
  std::error_code error;  // the program's path rather than /proc/self/exe, so that it keeps its name
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  setenv("GOMP_SPINCOUNT", kSpins, 1);
  execv(self.c_str(), argv);  // returns only if it fails; OpenMP then uses its default
}

}  // namespace gpuvae::apps
