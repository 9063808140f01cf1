// A program: its own data, its presets, and main().
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// main(): parses, runs the command, and turns errors into one line on stderr and an exit status.
int run_program(int argc, char** argv, const Program& program);

// Runs `body` and returns the exit status: 0, or 1 after one line on stderr for an error.
int run_guarded(const std::string& program, const std::function<void()>& body);

}  // namespace gpuvae::apps
