// Finds rows of a batch among the components of a mixture.
#include <algorithm>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/parallel.h"

namespace gpuvae::kernels {

void CpuBackend::run(const MatchArgs& g, StreamHandle) {
  parallel_for(g.rows, g.rows * g.candidates >= kCheapGrain, [&](std::int64_t row) {
    const std::int32_t* found = std::find(g.among, g.among + g.candidates, g.ids[row]);
    g.out[row] = found == g.among + g.candidates ? -1 : static_cast<std::int32_t>(found - g.among);
  });
}

}  // namespace gpuvae::kernels
