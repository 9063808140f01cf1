// Running sums of a training run's losses, the first step that diverged, and the step counters.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"

namespace gpuvae::kernels {

void CpuBackend::run(const MetricsArgs& g, StreamHandle) {
  check(g.count <= kMaxMetrics, "accumulate_metrics", "expected at most {} terms, got {}", kMaxMetrics,
        g.count);
  with_float(g.dtype, "accumulate_metrics", [&](auto type) {
    using T = decltype(type);
    const bool updated = !std::isnan(value_or<T>(g.gradient_scale, 1));
    if (updated && g.updates) ++*g.updates;
    if (!updated && g.skipped) {
      ++g.skipped->steps;
      g.skipped->images += g.images;
      return;
    }
    double sum = 0;
    for (int i = 0; i < g.count; ++i) {
      const double term = g.weights[i] * static_cast<double>(*as<T>(g.terms[i]));
      g.totals[i] += term;
      sum += term;
    }
    if (*g.bad_step == 0 && !(updated && std::isfinite(sum))) *g.bad_step = step_of(g.clock) + 1;
  });
  if (g.advance) ++*g.advance;
}

void CpuBackend::run(const RampArgs& g, StreamHandle) {
  with_float(g.dtype, "ramp", [&](auto type) {
    *as<decltype(type)>(g.out) = static_cast<decltype(type)>(
        g.height * std::min(1.0, static_cast<double>(step_of(g.clock)) / g.steps));
  });
}

void CpuBackend::run(const AdvanceArgs& g, StreamHandle) { *g.counter += g.by; }

}  // namespace gpuvae::kernels
