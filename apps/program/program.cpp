#include "apps/program/program.h"

#include <cstdio>
#include <new>

#include "apps/program/calm_openmp.h"
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

}  // namespace gpuvae::apps
