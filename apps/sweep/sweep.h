// The command sweep, which trains several models side by side.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Trains every combination of the values of --grid with every seed of --seeds, each in a process and in a
// separate folder in --out, and writes sweep.csv and sweep.html there. Runs that are finished are skipped,
// and those that were interrupted continue. Throws Error for a mistake in the command line, before anything
// starts, and at the end if a run failed. Throws Stopped after a signal. If mpirun started several ranks,
// each trains some of the runs, and rank 0 alone prints and writes the table and the page.
void sweep(const Program& program, const CommandLine& line);

}  // namespace gpuvae::apps
