// The command rerun, which repeats a run and compares the bits.
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// Trains the run of the folder `config.out` again in its folder rerun/, and says on standard output whether
// the weights have the same bits. If they have, rerun/ is removed. Throws Error if they have not, if the run
// is not finished, if its data are missing, or if rerun/ exists already.
void rerun(const Program& program, const RunConfig& config);

}  // namespace gpuvae::apps
