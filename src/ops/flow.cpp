// Planar and inverse autoregressive flows: the image of z and the log determinant of the Jacobian.
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

// Checks z [rows, latent], and params [rows, columns].
void check_flow(const char* name, const Variable& z, const Variable& params) {
  check_defined(name, z, "z");
  check_defined(name, params, "params");
  check_real(name, z);
  check_like(name, params, z);
  check(z.shape().rank() == 2 && z.shape()[1] > 0, name, "expected z of [rows, latent], got {}", z.shape());
  check(params.shape().rank() == 2 && params.shape()[0] == z.shape()[0], name,
        "expected params of [{}, columns] for z {}, got {}", z.shape()[0], z.shape(), params.shape());
}

std::int64_t planar_layers(const Variable& z, const Variable& params) {
  check_flow("planar_flow", z, params);
  const std::int64_t size = 2 * z.shape()[1] + 1, columns = params.shape()[1];
  check(columns > 0 && columns % size == 0, "planar_flow",
        "expected params of a multiple of {} columns (w, u and b of each layer) for z {}, got {}", size,
        z.shape(), params.shape());
  return columns / size;
}

void check_step(const Variable& z, const Variable& params) {
  check_flow("autoregressive_step", z, params);
  check(params.shape()[1] == 2 * z.shape()[1], "autoregressive_step",
        "expected params of [{}, {}] (m, then s) for z {}, got {}", z.shape()[0], 2 * z.shape()[1], z.shape(),
        params.shape());
}

template <class Args>
using FlowMethod = void (kernels::Backend::*)(const Args&, kernels::StreamHandle);

// Runs a flow's kernel, and records a node that runs the backward kernel. `states` is memory to which `args`
// points; or undefined.
template <class Args, class BackwardArgs>
FlowSample record_flow(const char* name, const Variable& z, const Variable& params, Args args,
                       const Tensor& states, FlowMethod<Args> forward, FlowMethod<BackwardArgs> backward) {
  const Tensor out = empty_like(z.value());
  const Tensor log_det = Tensor::empty({args.rows, 1}, z.dtype(), z.device());
  args.z = z.value().data();
  args.params = params.value().data();
  args.out = out.data();
  args.log_det = log_det.data();
  (backend(out).*forward)(args, stream(out));
  if (!GraphAccess::needs_gradient({&z, &params})) return {out, log_det};
  auto node = GraphAccess::make_node(name, {&z, &params});
  node->backward = [=, kept_z = Saved(name, z.value()), kept_params = Saved(name, params.value()),
                    kept_states = states](BackwardContext& context) {
    const Tensor &z = kept_z.get(), &params = kept_params.get();
    const Tensor d_out = context.gradient_tensor(0), d_log_det = context.gradient_tensor(1);
    Tensor d_z = empty_like(z), d_params = empty_like(params);
    const BackwardArgs back{.forward = args,
                            .d_out = d_out.data(),
                            .d_log_det = d_log_det.data(),
                            .d_z = d_z.data(),
                            .d_params = d_params.data()};
    (backend(z).*backward)(back, stream(z));
    if (context.needs(0)) context.add(0, std::move(d_z));
    if (context.needs(1)) context.add(1, std::move(d_params));
  };
  return {GraphAccess::output(node, out), GraphAccess::output(node, log_det)};
}

}  // namespace

FlowSample planar_flow(const Variable& z, const Variable& params) {
  const std::int64_t layers = planar_layers(z, params), rows = z.shape()[0], latent = z.shape()[1];
  kernels::PlanarFlowArgs args{.dtype = z.dtype(), .rows = rows, .latent = latent, .layers = layers};
  Tensor states;
  if (layers > 1 && GraphAccess::needs_gradient({&z, &params})) {
    states = Tensor::empty({layers - 1, rows, latent}, z.dtype(), z.device());
    args.states = states.data();
  }
  return record_flow("planar_flow", z, params, args, states, &kernels::Backend::planar_flow,
                     &kernels::Backend::planar_flow_backward);
}

FlowSample autoregressive_step(const Variable& z, const Variable& params) {
  check_step(z, params);
  const kernels::AutoregressiveStepArgs args{
      .dtype = z.dtype(), .rows = z.shape()[0], .latent = z.shape()[1]};
  return record_flow("autoregressive_step", z, params, args, {}, &kernels::Backend::autoregressive_step,
                     &kernels::Backend::autoregressive_step_backward);
}

namespace unfused {

FlowSample planar_flow(const Variable& z, const Variable& params) {
  const std::int64_t layers = planar_layers(z, params), latent = z.shape()[1];
  FlowSample flow{z, {}};
  for (std::int64_t l = 0; l < layers; ++l) {
    const std::int64_t first = l * (2 * latent + 1);
    const Variable w = columns(params, first, latent), u = columns(params, first + latent, latent);
    const Variable b = columns(params, first + 2 * latent, 1);
    const Variable wu = sum(w * u, Axis::columns);
    const Variable m = activate(wu, Activation::softplus) - 1;
    const Variable moved = u + w * ((m - wu) / sum(square(w), Axis::columns));
    const Variable t = activate(sum(w * flow.z, Axis::columns) + b, Activation::tanh);
    const Variable log_det = log(affine(m * (1 - square(t)), 1, 1));
    flow = {flow.z + moved * t, flow.log_det ? flow.log_det + log_det : log_det};
  }
  return flow;
}

FlowSample autoregressive_step(const Variable& z, const Variable& params) {
  check_step(z, params);
  const std::int64_t latent = z.shape()[1];
  const Variable m = columns(params, 0, latent), t = columns(params, latent, latent) + 2;
  const Variable gate = activate(t, Activation::sigmoid);
  return {gate * z + (1 - gate) * m, -sum(activate(-t, Activation::softplus), Axis::columns)};
}

}  // namespace unfused
}  // namespace gpuvae
