// The restart that shortens how long OpenMP's threads spin; the only place where a program restarts itself.
#pragma once

namespace gpuvae::apps {

// Restarts the process, once, with OpenMP threads that go to sleep soon when they wait, unless the user has
// set how they wait or where they run. On a busy machine, threads that spin take the time of those they wait
// for. OpenMP reads this setting only when it starts, hence a new process. Call it first in main().
void calm_openmp(char** argv);

}  // namespace gpuvae::apps
