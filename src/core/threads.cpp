#include "gpuvae/threads.h"

#include "kernels/cpu/parallel/pool.h"

namespace gpuvae {

int num_threads() { return kernels::num_threads(); }
void set_num_threads(int threads) { kernels::set_num_threads(threads); }

}  // namespace gpuvae
