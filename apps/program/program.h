// A program: its own data, its presets, and main().
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// main(): parses, runs the command, and turns errors into one line on stderr and an exit status.
int run_program(int argc, char** argv, const Program& program);

// Runs `body`: one line on stderr for an error, and its exit status.
int run_guarded(const std::string& program, const std::function<void()>& body);

// Restarts the process with OpenMP threads that go to sleep soon when they wait, unless the user has chosen:
// on a busy machine, waiting threads that spin steal the time of those they wait for. It must happen before
// OpenMP starts, hence a new process.
void calm_openmp(char** argv);

}  // namespace gpuvae::apps
