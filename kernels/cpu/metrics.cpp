// Running sums of a training run's losses, and the first step that diverged.
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"

namespace gpuvae::kernels {

void CpuBackend::accumulate_metrics(const MetricsArgs& g, StreamHandle) {
  check(g.count <= kMostMetrics, "accumulate_metrics", "expected at most {} terms, got {}", kMostMetrics,
        g.count);
  with_float(g.dtype, "accumulate_metrics", [&](auto type) {
    double sum = 0;
    for (int i = 0; i < g.count; ++i) {
      const double term = g.weights[i] * static_cast<double>(*as<decltype(type)>(g.terms[i]));
      g.totals[i] += term;
      sum += term;
    }
    if (*g.bad_step == 0 && !std::isfinite(sum)) *g.bad_step = step_of(g.clock) + 1;
  });
}

}  // namespace gpuvae::kernels
