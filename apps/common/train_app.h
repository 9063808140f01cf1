// What the apps share: a run from its configuration to its folder of files.
#pragma once

#include <functional>

#include "apps/common/run_config.h"

namespace gpuvae::apps {

struct Program {
  std::string name;
  std::function<Split(const RunConfig&)> load;  // onto the CPU; announces what it found
};

// Trains as `config` says and writes the run folder. Throws Error.
void train_and_write(const Program& program, const RunConfig& config);

// main() around `body`: one line on stderr for an error, and its exit status.
int run_guarded(const std::string& program, const std::function<void()>& body);

// Restarts the process with OpenMP threads that go to sleep soon when they wait, unless the user has chosen:
// on a busy machine, waiting threads that spin steal the time of those they wait for. It must happen before
// OpenMP starts, hence a new process.
void calm_openmp(char** argv);

}  // namespace gpuvae::apps
