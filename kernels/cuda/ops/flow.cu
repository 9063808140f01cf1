// Planar and inverse autoregressive flows, forward and backward. A warp computes a row. Each lane reads only
// those elements of intermediate states that it wrote itself, so that layers need no synchronisation.
#include "kernels/math/planar.h"

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/math/gate.h"

namespace gpuvae::kernels {
namespace {

// Calls body(row) for the rows of this warp.
template <class Body>
__device__ __forceinline__ void for_warp_rows(std::int64_t rows, const Body& body) {
  for (std::int64_t row = grid_thread() / 32; row < rows; row += grid_threads() / 32) body(row);
}

// Returns the scalars of a layer, in all lanes.
__device__ __forceinline__ math::PlanarLayer<float> layer_at(const float* w, const float* z,
                                                             std::int64_t latent, unsigned lane) {
  const float* u = w + latent;
  float wz = 0, wu = 0, ww = 0;
  for (std::int64_t i = lane; i < latent; i += 32) {
    wz += w[i] * z[i];
    wu += w[i] * u[i];
    ww += w[i] * w[i];
  }
  return math::planar_layer(warp_sum(wz) + u[latent], warp_sum(wu), warp_sum(ww));
}

__global__ void __launch_bounds__(kThreads) planar_flow_kernel(PlanarFlowArgs args) {
  const std::int64_t latent = args.latent, layer_size = 2 * latent + 1;
  const unsigned lane = threadIdx.x % 32;
  float* final_out = static_cast<float*>(args.out);
  float* states = static_cast<float*>(args.states);
  for_warp_rows(args.rows, [&](std::int64_t row) {
    const float* z = static_cast<const float*>(args.z) + row * latent;
    const float* w = static_cast<const float*>(args.params) + row * args.layers * layer_size;
    float log_det = 0;
    for (std::int64_t l = 0; l < args.layers; ++l, w += layer_size) {
      const auto layer = layer_at(w, z, latent, lane);
      float* out =
          states && l < args.layers - 1 ? states + (l * args.rows + row) * latent : final_out + row * latent;
      for (std::int64_t i = lane; i < latent; i += 32)
        out[i] = z[i] + layer.tanh * w[latent + i] + layer.tanh * layer.c * w[i];
      log_det += math::planar_log_det(layer);
      z = out;
    }
    if (lane == 0) static_cast<float*>(args.log_det)[row] = log_det;
  });
}

__global__ void __launch_bounds__(kThreads) planar_flow_backward_kernel(PlanarFlowBackwardArgs args) {
  const PlanarFlowArgs& forward = args.forward;
  const std::int64_t latent = forward.latent, layer_size = 2 * latent + 1;
  const unsigned lane = threadIdx.x % 32;
  for_warp_rows(forward.rows, [&](std::int64_t row) {
    const float* upstream = static_cast<const float*>(args.d_out) + row * latent;
    const float d_log_det = static_cast<const float*>(args.d_log_det)[row];
    float* d_z = static_cast<float*>(args.d_z) + row * latent;
    for (std::int64_t l = forward.layers - 1; l >= 0; --l) {
      const std::int64_t at = (row * forward.layers + l) * layer_size;
      const float *w = static_cast<const float*>(forward.params) + at, *u = w + latent;
      float *d_w = static_cast<float*>(args.d_params) + at, *d_u = d_w + latent;
      const float* z =
          l == 0 ? static_cast<const float*>(forward.z) + row * latent
                 : static_cast<const float*>(forward.states) + ((l - 1) * forward.rows + row) * latent;
      const auto layer = layer_at(w, z, latent, lane);
      float gu = 0, gw = 0;
      for (std::int64_t i = lane; i < latent; i += 32) {
        gu += upstream[i] * u[i];
        gw += upstream[i] * w[i];
      }
      const auto s = math::planar_slopes(layer, warp_sum(gu), warp_sum(gw), d_log_det);
      for (std::int64_t i = lane; i < latent; i += 32) {
        const float g = upstream[i];
        d_w[i] = s.a * z[i] + layer.tanh * layer.c * g + s.q * u[i] + s.r * w[i];
        d_u[i] = layer.tanh * g + s.q * w[i];
        d_z[i] = g + s.a * w[i];
      }
      if (lane == 0) d_u[latent] = s.a;
      upstream = d_z;
    }
  });
}

__global__ void __launch_bounds__(kThreads) autoregressive_step_kernel(AutoregressiveStepArgs args) {
  const unsigned lane = threadIdx.x % 32;
  for_warp_rows(args.rows, [&](std::int64_t row) {
    const float* z = static_cast<const float*>(args.z) + row * args.latent;
    const float* m = static_cast<const float*>(args.params) + 2 * row * args.latent;
    float* out = static_cast<float*>(args.out) + row * args.latent;
    float log_det = 0;
    for (std::int64_t i = lane; i < args.latent; i += 32) {
      const auto step = math::autoregressive_step(z[i], m[i], m[args.latent + i]);
      out[i] = step.z;
      log_det += step.log_gate;
    }
    log_det = warp_sum(log_det);
    if (lane == 0) static_cast<float*>(args.log_det)[row] = log_det;
  });
}

__global__ void __launch_bounds__(kThreads)
    autoregressive_step_backward_kernel(AutoregressiveStepBackwardArgs args) {
  const AutoregressiveStepArgs& forward = args.forward;
  const std::int64_t latent = forward.latent;
  const unsigned lane = threadIdx.x % 32;
  for_warp_rows(forward.rows, [&](std::int64_t row) {
    const float* z = static_cast<const float*>(forward.z) + row * latent;
    const float* m = static_cast<const float*>(forward.params) + 2 * row * latent;
    const float* d_out = static_cast<const float*>(args.d_out) + row * latent;
    const float d_log_det = static_cast<const float*>(args.d_log_det)[row];
    float* d_z = static_cast<float*>(args.d_z) + row * latent;
    float* d_m = static_cast<float*>(args.d_params) + 2 * row * latent;
    for (std::int64_t i = lane; i < latent; i += 32) {
      const auto d = math::autoregressive_gradient(z[i], m[i], m[latent + i], d_out[i], d_log_det);
      d_z[i] = d.z;
      d_m[i] = d.m;
      d_m[latent + i] = d.s;
    }
  });
}

}  // namespace

void CudaBackend::run(const PlanarFlowArgs& args, StreamHandle stream) {
  require_f32("planar_flow", args.dtype);
  const DeviceGuard on(device_);
  launch({"planar_flow", "planar_flow_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * args.latent, stream},
         planar_flow_kernel, args);
}

void CudaBackend::run(const PlanarFlowBackwardArgs& args, StreamHandle stream) {
  require_f32("planar_flow_backward", args.forward.dtype);
  const DeviceGuard on(device_);
  launch({"planar_flow_backward", "planar_flow_backward_kernel", blocks(args.forward.rows, kThreads / 32),
          kThreads, args.forward.rows * args.forward.latent, stream},
         planar_flow_backward_kernel, args);
}

void CudaBackend::run(const AutoregressiveStepArgs& args, StreamHandle stream) {
  require_f32("autoregressive_step", args.dtype);
  const DeviceGuard on(device_);
  launch({"autoregressive_step", "autoregressive_step_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * args.latent, stream},
         autoregressive_step_kernel, args);
}

void CudaBackend::run(const AutoregressiveStepBackwardArgs& args, StreamHandle stream) {
  require_f32("autoregressive_step_backward", args.forward.dtype);
  const DeviceGuard on(device_);
  launch(
      {"autoregressive_step_backward", "autoregressive_step_backward_kernel",
       blocks(args.forward.rows, kThreads / 32), kThreads, args.forward.rows * args.forward.latent, stream},
      autoregressive_step_backward_kernel, args);
}

}  // namespace gpuvae::kernels
