// The log density of a mixture of diagonal Gaussians, and its gradients. In the forward pass, one warp
// computes a row. In the backward pass, one block computes a row (for z) or a component (for its parameters),
// so that every sum has a fixed order.
#include "kernels/math/mixture.h"

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

namespace gpuvae::kernels {
namespace {

// The workspace, [2 latent + 1, stride].
struct Components {
  __device__ Components(const MixtureArgs& args, std::int64_t stride)
      : stride(stride),
        latent(args.latent),
        mean(static_cast<float*>(args.workspace)),
        inverse(mean + latent * stride),
        offset(inverse + latent * stride) {}

  // Returns (z - mean) / sigma in dimension d.
  __device__ __forceinline__ float standardized(float z, std::int64_t k, std::int64_t d) const {
    return (z - mean[d * stride + k]) * inverse[d * stride + k];
  }
  // Returns standardized(), or 0 if the weight is 0: the value may then be infinite, and 0 * infinity would
  // be NaN.
  __device__ __forceinline__ float counted(float weight, float z, std::int64_t k, std::int64_t d) const {
    const float u = standardized(z, k, d);
    return weight == 0.0f ? 0.0f : u;
  }
  // Returns log(w_k N_k(z)).
  __device__ __forceinline__ float term(const float* z, std::int64_t k) const {
    float squares = 0;
    for (std::int64_t d = 0; d < latent; ++d) {
      const float u = standardized(z[d], k, d);
      squares += u * u;
    }
    return offset[k] - 0.5f * squares;
  }

  std::int64_t stride, latent;
  float* mean;
  float* inverse;  // 1 / sigma
  float* offset;   // see math::mixture_offset
};

__global__ void __launch_bounds__(kThreads) mixture_prepare_kernel(MixtureArgs args, std::int64_t stride) {
  const Components to(args, stride);
  const float* log_weights = static_cast<const float*>(args.log_weights);
  for (std::int64_t k = grid_thread(); k < args.components; k += grid_threads()) {
    const float* component_params = static_cast<const float*>(args.component_params) + k * 2 * args.latent;
    double offset = log_weights ? log_weights[k] : -math::log(static_cast<double>(args.components));
    for (std::int64_t d = 0; d < args.latent; ++d) {
      const auto sigma = math::posterior_sigma(args.scale, component_params[args.latent + d]);
      to.mean[d * to.stride + k] = component_params[d];
      to.inverse[d * to.stride + k] = math::inverse_sigma(sigma);
      offset += math::mixture_offset(sigma);
    }
    to.offset[k] = static_cast<float>(offset);
  }
}

// Returns the component that a row leaves out, or -1.
__device__ __forceinline__ std::int32_t left_out_of(const MixtureArgs& args, std::int64_t row) {
  return args.left_out ? args.left_out[row] : -1;
}

// `shift` is added to the rows that leave a component out.
__global__ void __launch_bounds__(kThreads)
    mixture_kernel(MixtureArgs args, std::int64_t stride, float shift) {
  const Components components(args, stride);
  const std::int64_t lane = threadIdx.x % 32;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const float* z = static_cast<const float*>(args.z) + row * args.latent;
    const std::int32_t left_out = left_out_of(args, row);
    math::LogSumExp<float> total;
    for (std::int64_t k = lane; k < args.components; k += 32)
      if (k != left_out) total.add(components.term(z, k));
#pragma unroll
    for (int i = 16; i > 0; i /= 2)
      total.add({__shfl_xor_sync(kWholeWarp, total.most, i), __shfl_xor_sync(kWholeWarp, total.sum, i)});
    if (lane == 0) static_cast<float*>(args.out)[row] = total.value() + (left_out < 0 ? 0.0f : shift);
  }
}

// Returns a component's responsibility for a row, times the gradient of the loss with respect to the row's
// output.
__device__ __forceinline__ float weight_of(const MixtureBackwardArgs& args, const Components& components,
                                           std::int64_t row, std::int64_t k) {
  const std::int32_t left_out = left_out_of(args.forward, row);
  if (k == left_out) return 0.0f;
  const float term = components.term(static_cast<const float*>(args.forward.z) + row * components.latent, k);
  const float total = static_cast<const float*>(args.forward.out)[row] -
                      math::left_out_shift<float>(args.forward.components, left_out);
  return static_cast<const float*>(args.d_out)[row] * math::exp(term - total);
}

__global__ void __launch_bounds__(kThreads)
    mixture_d_z_kernel(MixtureBackwardArgs args, std::int64_t stride) {
  __shared__ float weights[kThreads];
  const MixtureArgs& forward = args.forward;
  const Components components(forward, stride);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (std::int64_t row = blockIdx.x; row < forward.rows; row += gridDim.x) {
    const float* z = static_cast<const float*>(forward.z) + row * forward.latent;
    float* d_z = static_cast<float*>(args.d_z) + row * forward.latent;
    for (std::int64_t first = 0; first < forward.components; first += kThreads) {
      const std::int64_t left = forward.components - first;
      weights[threadIdx.x] =
          threadIdx.x < left ? weight_of(args, components, row, first + threadIdx.x) : 0.0f;
      __syncthreads();
      for (std::int64_t d = warp; d < forward.latent; d += kThreads / 32) {
        float sum = 0;
        for (unsigned i = lane; i < kThreads && i < left; i += 32) {
          const std::int64_t k = first + i;
          sum -= weights[i] * components.counted(weights[i], z[d], k, d) *
                 components.inverse[d * components.stride + k];
        }
        sum = warp_sum(sum);
        if (lane == 0) d_z[d] = first == 0 ? sum : d_z[d] + sum;
      }
      __syncthreads();  // the next tile overwrites weights
    }
  }
}

// Adds the sums of q u and q u^2 over a tile of rows to d_component_params, where lane 0 of one warp accesses
// each dimension, so that no barrier is needed.
__device__ __forceinline__ void add_tile(const MixtureBackwardArgs& args, const Components& components,
                                         const float (&weights)[kThreads], std::int64_t k, std::int64_t first,
                                         float* d_component_params) {
  const std::int64_t latent = components.latent, left = args.forward.rows - first;
  const float* z = static_cast<const float*>(args.forward.z) + first * latent;
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (std::int64_t d = warp; d < latent; d += kThreads / 32) {
    float qu = 0, quu = 0;
    for (unsigned i = lane; i < kThreads && i < left; i += 32) {
      const float u = components.counted(weights[i], z[i * latent + d], k, d), weighted = weights[i] * u;
      qu += weighted;
      quu += weighted * u;
    }
    qu = warp_sum(qu);
    quu = warp_sum(quu);
    if (lane != 0) continue;
    d_component_params[d] = first == 0 ? qu : d_component_params[d] + qu;
    d_component_params[latent + d] = first == 0 ? quu : d_component_params[latent + d] + quu;
  }
}

__global__ void __launch_bounds__(kThreads)
    mixture_d_components_kernel(MixtureBackwardArgs args, std::int64_t stride) {
  __shared__ float weights[kThreads];
  const MixtureArgs& forward = args.forward;
  const Components components(forward, stride);
  const std::int64_t latent = forward.latent;
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (std::int64_t k = blockIdx.x; k < forward.components; k += gridDim.x) {
    float* d_component_params =
        args.d_component_params ? static_cast<float*>(args.d_component_params) + k * 2 * latent : nullptr;
    double sum = 0;
    for (std::int64_t first = 0; first < forward.rows; first += kThreads) {
      const std::int64_t row = first + threadIdx.x;
      const float weight = row < forward.rows ? weight_of(args, components, row, k) : 0.0f;
      weights[threadIdx.x] = weight;
      sum += weight;
      __syncthreads();
      if (d_component_params) add_tile(args, components, weights, k, first, d_component_params);
      __syncthreads();  // the next tile overwrites weights
    }
    const float q = static_cast<float>(block_sum(sum));
    if (args.d_log_weights && threadIdx.x == 0) static_cast<float*>(args.d_log_weights)[k] = q;
    if (!d_component_params || lane != 0) continue;
    const float* scale = static_cast<const float*>(forward.component_params) + k * 2 * latent + latent;
    for (std::int64_t d = warp; d < latent; d += kThreads / 32) {
      const bool any = forward.rows > 0;
      const auto slopes = math::mixture_slopes(q, any ? d_component_params[d] : 0.0f,
                                               any ? d_component_params[latent + d] : 0.0f,
                                               math::posterior_sigma(forward.scale, scale[d]));
      d_component_params[d] = slopes.mean;
      d_component_params[latent + d] = slopes.scale;
    }
  }
}

// One warp per row.
__global__ void __launch_bounds__(kThreads) match_kernel(MatchArgs args) {
  const unsigned lane = threadIdx.x % 32;
  for (std::int64_t row = grid_thread() / 32; row < args.rows; row += grid_threads() / 32) {
    const std::int32_t id = args.ids[row];
    const auto none = static_cast<std::int32_t>(args.candidates);
    std::int32_t found = none;
    for (std::int32_t k = static_cast<std::int32_t>(lane); k < none && found == none; k += 32)
      if (args.among[k] == id) found = k;
#pragma unroll
    for (int i = 16; i > 0; i /= 2) {
      const std::int32_t other = __shfl_xor_sync(kWholeWarp, found, i);
      found = other < found ? other : found;
    }
    if (lane == 0) args.out[row] = found == none ? -1 : found;
  }
}

}  // namespace

void CudaBackend::run(const MatchArgs& args, StreamHandle stream) {
  const DeviceGuard on(device_);
  launch({"match", "match_kernel", blocks(args.rows, kThreads / 32), kThreads, args.rows, stream},
         match_kernel, args);
}

void CudaBackend::run(const MixtureArgs& args, StreamHandle stream) {
  require_f32("mixture", args.dtype);
  const DeviceGuard on(device_);
  const std::int64_t stride = mixture_stride(args.components);
  launch({"mixture", "mixture_prepare_kernel", blocks(args.components, kThreads), kThreads,
          args.components * args.latent, stream},
         mixture_prepare_kernel, args, stride);
  launch({"mixture", "mixture_kernel", blocks(args.rows, kThreads / 32), kThreads,
          args.rows * args.components, stream},
         mixture_kernel, args, stride, math::left_out_shift<float>(args.components, 0));
}

void CudaBackend::run(const MixtureBackwardArgs& args, StreamHandle stream) {
  const MixtureArgs& forward = args.forward;
  require_f32("mixture_backward", forward.dtype);
  const DeviceGuard on(device_);
  const std::int64_t size = forward.rows * forward.components, stride = mixture_stride(forward.components);
  if (args.d_z)
    launch({"mixture_backward", "mixture_d_z_kernel", blocks(forward.rows, 1), kThreads, size, stream},
           mixture_d_z_kernel, args, stride);
  if (args.d_component_params || args.d_log_weights)
    launch({"mixture_backward", "mixture_d_components_kernel", blocks(forward.components, 1), kThreads, size,
            stream},
           mixture_d_components_kernel, args, stride);
}

}  // namespace gpuvae::kernels
