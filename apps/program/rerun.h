// The command rerun, which repeats a run and compares the bits.
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// Repeats the training run of the folder `config.out` in its sub-folder rerun/, and prints whether the
// weights have the same bits. If they have, rerun/ is removed. Throws Error if the weights differ, if the run
// is not finished, if its data are missing, or if rerun/ exists already.
void rerun(const Program& program, const RunConfig& config);

}  // namespace gpuvae::apps
