// The gate of a gated dense layer, forward and backward.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/gate.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/gates-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <class T>
void gate_of(const GateArgs& g) {
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain,
                  [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const T* h = as<T>(g.x) + 2 * row * g.columns;
                      T* y = as<T>(g.y) + row * g.columns;
                      each_vector<T>(0, g.columns, [=](auto access, std::int64_t i) HWY_ATTR {
                        access.store(gated(access.load(h + i), access.load(h + g.columns + i)), y + i);
                      });
                    }
                  });
}

template <class T>
void gate_backward_of(const GateBackwardArgs& g) {
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain,
                  [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const T* h = as<T>(g.x) + 2 * row * g.columns;
                      const T* d_y = as<T>(g.d_y) + row * g.columns;
                      T* d_h = as<T>(g.d_x) + 2 * row * g.columns;
                      each_vector<T>(0, g.columns, [=](auto access, std::int64_t i) HWY_ATTR {
                        const auto slopes = gated_slopes(access.load(h + i), access.load(h + g.columns + i));
                        const auto d = access.load(d_y + i);
                        access.store(hn::Mul(d, slopes.h), d_h + i);
                        access.store(hn::Mul(d, slopes.g), d_h + g.columns + i);
                      });
                    }
                  });
}

void Gate(const GateArgs& g) {
  with_float(g.dtype, "gate", [&](auto type) { gate_of<decltype(type)>(g); });
}
void GateBackward(const GateBackwardArgs& g) {
  with_float(g.dtype, "gate_backward", [&](auto type) { gate_backward_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Gate);
HWY_EXPORT(GateBackward);
void CpuBackend::run(const GateArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Gate)(g); }
void CpuBackend::run(const GateBackwardArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(GateBackward)(g); }
}  // namespace gpuvae::kernels
#endif
