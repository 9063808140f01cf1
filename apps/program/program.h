// main() of a program.
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// Parses the command line, runs the command, and returns the exit status. An error is one line on stderr.
int run_program(int argc, char** argv, const Program& program);

// Runs `body` and returns the exit status: 0; 1 after one line on stderr for an error; or 128 and the
// signal's number after one line for a signal that stopped the training.
int run_guarded(const std::string& program, const std::function<void()>& body);

}  // namespace gpuvae::apps
