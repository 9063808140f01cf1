#include "apps/program/program.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "apps/program/commands.h"

namespace gpuvae::apps {

int run_program(int argc, char** argv, const Program& program) {
  calm_openmp(argv);
  const CommandLine line = parse_command_line(argc, argv, program.name, program.description, program.presets);
  if (line.exit_code >= 0) return line.exit_code;
  return run_guarded(program.name, [&] { run_command(program, line); });
}

int run_guarded(const std::string& program, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
  }
  return 1;
}

void calm_openmp(char** argv) {
  constexpr const char* kSpins = "2000";  // about the gaps within a step: see bench/NOTES.md
  // Whoever says how threads wait is heard. Where they are to be bound, this one is already: started again,
  // the program would have its one CPU for all of them.
  for (const char* name :
       {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (std::getenv(name)) return;
  std::error_code error;  // its path rather than /proc/self/exe, so that it keeps its name
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  setenv("GOMP_SPINCOUNT", kSpins, 1);
  execv(self.c_str(), argv);  // returns only if it failed: then the default must do
}

}  // namespace gpuvae::apps
