// The restart that shortens how long OpenMP's threads spin; the only place where a program restarts itself.
#pragma once

namespace gpuvae::apps {

// Restarts the process once, so that waiting OpenMP threads go to sleep soon. Does nothing if the user has
// set how OpenMP threads wait or where they run. On a busy machine, threads that spin take CPU time from the
// threads that they wait for. OpenMP reads this setting only when it starts, hence a new process. Call this
// function first in main().
void calm_openmp(char** argv);

}  // namespace gpuvae::apps
