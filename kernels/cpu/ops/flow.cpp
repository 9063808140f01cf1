// Planar and inverse autoregressive flows, forward and backward. A thread computes complete rows.
#include "kernels/math/planar.h"

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/flow.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/gates-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Calls body(row) for all rows, whose cost is about `width` elements each.
template <class Body>
void each_row(std::int64_t rows, std::int64_t width, const Body& body) {
  parallel_chunks(Chunks::of_rows(rows, width), rows * width >= kCostlyGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) body(row);
                  });
}

// ---- planar flows ----

template <class T>
math::PlanarLayer<T> layer_at(const T* w, const T* z, std::int64_t latent) {
  const T* u = w + latent;
  return math::planar_layer(dot(w, z, latent) + u[latent], dot(w, u, latent), dot(w, w, latent));
}

// Returns the output of layer `layer` of a row: the flow's output for the last one.
template <class T>
T* state_of(const PlanarFlowArgs& g, std::int64_t layer, std::int64_t row) {
  const bool last = layer == g.layers - 1 || !g.states;
  return last ? as<T>(g.out) + row * g.latent : as<T>(g.states) + (layer * g.rows + row) * g.latent;
}

template <class T>
void planar_row(const PlanarFlowArgs& g, std::int64_t row) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const T* z = as<T>(g.z) + row * g.latent;
  const T* w = as<T>(g.params) + row * g.layers * g.layer_size();
  double log_det = 0;
  for (std::int64_t l = 0; l < g.layers; ++l, w += g.layer_size()) {
    const T* u = w + g.latent;
    const auto layer = layer_at(w, z, g.latent);
    const V tanh = constant<V>(layer.tanh), along_w = constant<V>(layer.tanh * layer.c);
    T* out = state_of<T>(g, l, row);
    each_vector<T>(0, g.latent, [=](auto access, std::int64_t i) HWY_ATTR {
      const V moved = hn::MulAdd(tanh, access.load(u + i), access.load(z + i));
      access.store(hn::MulAdd(along_w, access.load(w + i), moved), out + i);
    });
    log_det += static_cast<double>(math::planar_log_det(layer));
    z = out;
  }
  as<T>(g.log_det)[row] = static_cast<T>(log_det);
}

template <class T>
void planar_backward_row(const PlanarFlowBackwardArgs& b, std::int64_t row) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const PlanarFlowArgs& g = b.forward;
  const std::int64_t latent = g.latent;
  const T* upstream = as<T>(b.d_out) + row * latent;
  T* d_z = as<T>(b.d_z) + row * latent;
  const T d_log_det = as<T>(b.d_log_det)[row];
  for (std::int64_t l = g.layers - 1; l >= 0; --l) {
    const std::int64_t at = (row * g.layers + l) * g.layer_size();
    const T *w = as<T>(g.params) + at, *u = w + latent;
    T *d_w = as<T>(b.d_params) + at, *d_u = d_w + latent;
    const T* z = l == 0 ? as<T>(g.z) + row * latent : as<T>(g.states) + ((l - 1) * g.rows + row) * latent;
    const auto layer = layer_at(w, z, latent);
    const auto s = math::planar_slopes(layer, dot(upstream, u, latent), dot(upstream, w, latent), d_log_det);
    const V tanh = constant<V>(layer.tanh), tanh_c = constant<V>(layer.tanh * layer.c);
    const V a = constant<V>(s.a), q = constant<V>(s.q), r = constant<V>(s.r);
    each_vector<T>(0, latent, [=](auto access, std::int64_t i) HWY_ATTR {
      const V of_w = access.load(w + i), of_u = access.load(u + i), of_g = access.load(upstream + i);
      const V sum = hn::MulAdd(a, access.load(z + i), hn::Mul(tanh_c, of_g));
      access.store(hn::MulAdd(q, of_u, hn::MulAdd(r, of_w, sum)), d_w + i);
      access.store(hn::MulAdd(q, of_w, hn::Mul(tanh, of_g)), d_u + i);
      access.store(hn::MulAdd(a, of_w, of_g), d_z + i);
    });
    d_u[latent] = s.a;
    upstream = d_z;
  }
}

// ---- inverse autoregressive flows ----

template <class T>
void step_row(const AutoregressiveStepArgs& g, std::int64_t row) {
  const T *z = as<T>(g.z) + row * g.latent, *m = as<T>(g.params) + 2 * row * g.latent, *s = m + g.latent;
  T* out = as<T>(g.out) + row * g.latent;
  Sum<T> log_det;
  each_vector<T>(0, g.latent, [&](auto access, std::int64_t i) HWY_ATTR {
    const auto step = autoregressive_step(access.load(z + i), access.load(m + i), access.load(s + i));
    access.store(step.z, out + i);
    log_det.add(access.keep(step.log_gate));
  });
  as<T>(g.log_det)[row] = static_cast<T>(log_det.total());
}

template <class T>
void step_backward_row(const AutoregressiveStepBackwardArgs& b, std::int64_t row) {
  const AutoregressiveStepArgs& g = b.forward;
  const std::int64_t latent = g.latent;
  const T *z = as<T>(g.z) + row * latent, *m = as<T>(g.params) + 2 * row * latent, *s = m + latent;
  const T* d_out = as<T>(b.d_out) + row * latent;
  T *d_z = as<T>(b.d_z) + row * latent, *d_m = as<T>(b.d_params) + 2 * row * latent, *d_s = d_m + latent;
  const auto d_log_det = hn::Set(hn::ScalableTag<T>(), as<T>(b.d_log_det)[row]);
  each_vector<T>(0, latent, [=](auto access, std::int64_t i) HWY_ATTR {
    const auto d = autoregressive_gradient(access.load(z + i), access.load(m + i), access.load(s + i),
                                           access.load(d_out + i), d_log_det);
    access.store(d.z, d_z + i);
    access.store(d.m, d_m + i);
    access.store(d.s, d_s + i);
  });
}

void PlanarFlow(const PlanarFlowArgs& g) {
  with_float(g.dtype, "planar_flow", [&](auto type) {
    each_row(g.rows, g.layers * g.layer_size(),
             [&](std::int64_t row) { planar_row<decltype(type)>(g, row); });
  });
}
void PlanarFlowBackward(const PlanarFlowBackwardArgs& b) {
  const PlanarFlowArgs& g = b.forward;
  with_float(g.dtype, "planar_flow_backward", [&](auto type) {
    each_row(g.rows, 2 * g.layers * g.layer_size(),
             [&](std::int64_t row) { planar_backward_row<decltype(type)>(b, row); });
  });
}
void StepForward(const AutoregressiveStepArgs& g) {
  with_float(g.dtype, "autoregressive_step", [&](auto type) {
    each_row(g.rows, 3 * g.latent, [&](std::int64_t row) { step_row<decltype(type)>(g, row); });
  });
}
void StepBackward(const AutoregressiveStepBackwardArgs& b) {
  with_float(b.forward.dtype, "autoregressive_step_backward", [&](auto type) {
    each_row(b.forward.rows, 4 * b.forward.latent,
             [&](std::int64_t row) { step_backward_row<decltype(type)>(b, row); });
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(PlanarFlow);
HWY_EXPORT(PlanarFlowBackward);
HWY_EXPORT(StepForward);
HWY_EXPORT(StepBackward);
void CpuBackend::run(const PlanarFlowArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(PlanarFlow)(g); }
void CpuBackend::run(const PlanarFlowBackwardArgs& b, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(PlanarFlowBackward)(b);
}
void CpuBackend::run(const AutoregressiveStepArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(StepForward)(g); }
void CpuBackend::run(const AutoregressiveStepBackwardArgs& b, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(StepBackward)(b);
}
}  // namespace gpuvae::kernels
#endif
