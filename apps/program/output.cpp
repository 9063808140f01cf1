#include "apps/program/output.h"

#include <cstdio>

#include "apps/run/run_files.h"

namespace gpuvae::apps {

void say_wrote(const std::filesystem::path& path) { std::fprintf(stderr, "wrote   %s\n", path.c_str()); }

std::filesystem::path output_or(const Session& s, const Command& command, const char* name) {
  if (!command.output.empty()) return command.output;
  const std::filesystem::path file = s.folder() / name;
  check_own_file(file, command.name);
  return file;
}

}  // namespace gpuvae::apps
