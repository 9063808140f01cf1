// Reparameterised sampling from the diagonal Gaussian posterior and its KL divergence, separately or in one
// pass.
#include <cmath>

#include "src/core/random.h"
#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

std::int64_t latent_of(const char* name, const Variable& posterior_params) {
  check_defined(name, posterior_params, "posterior_params");
  check_real(name, posterior_params);
  check(posterior_params.shape().rank() == 2 && posterior_params.shape()[1] % 2 == 0, name,
        "expected posterior_params of [rows, 2 latent] (mean, then scale parameter), got {}",
        posterior_params.shape());
  return posterior_params.shape()[1] / 2;
}

void check_options(const char* name, const Variable& posterior_params, const PosteriorOptions& o) {
  const std::int64_t rows = posterior_params.shape()[0], latent = posterior_params.shape()[1] / 2;
  check_enumerator(name, "scale", o.scale);
  check(o.noise_std >= 0 && std::isfinite(o.noise_std), name, "expected a noise_std of 0 or more, got {}",
        o.noise_std);
  if (o.epsilon) {
    check_like(name, o.epsilon, posterior_params);
    check(o.epsilon.shape() == Shape({rows, latent}), name, "expected epsilon of [{}, {}], got {}", rows,
          latent, o.epsilon.shape());
  }
}

struct Wanted {
  bool z, kl;
};

PosteriorSample run(const char* name, const Variable& posterior_params, const PosteriorOptions& options,
                    double weight, Wanted wanted) {
  const std::int64_t latent = latent_of(name, posterior_params);
  check_options(name, posterior_params, options);
  const Tensor& x = posterior_params.value();
  kernels::PosteriorArgs args{
      .dtype = x.dtype(), .scale = options.scale, .rows = x.shape()[0], .latent = latent};
  args.noise_std = options.noise_std;
  args.kl_weight = weight;
  args.noise = kernel_noise(name, options.noise, args.rows, x.device());
  args.epsilon = options.epsilon ? options.epsilon.data() : nullptr;
  args.posterior_params = x.data();
  Tensor z, kl;
  if (wanted.z) {
    z = Tensor::empty({args.rows, latent}, x.dtype(), x.device());
    args.z = z.data();
  }
  if (wanted.kl) {
    kl = scalar_like(x);
    args.kl = kl.data();
  }
  backend(x).posterior(args, stream(x));
  if (!GraphAccess::needs_gradient({&posterior_params}))
    return {z ? Variable(z) : Variable(), kl ? Variable(kl) : Variable()};

  auto node = GraphAccess::make_node(name, {&posterior_params});
  PosteriorSample result;
  if (wanted.z) result.z = GraphAccess::output(node, z);
  if (wanted.kl) result.kl = GraphAccess::output(node, kl);
  // The lambda captures the clock's device_step, too, so that all memory to which `args` points is kept.
  node->backward = [=, kept = Saved(name, x), epsilon = Saved(name, options.epsilon),
                    samples = Saved(name, options.noise.samples),
                    step = options.noise.clock.device_step](BackwardContext& context) {
    const Tensor& x = kept.get();
    epsilon.get();
    samples.get();
    kernels::PosteriorBackwardArgs back{.forward = args};
    Tensor d_z;
    if (wanted.z && context.gradient(0).kind != Gradient::Kind::none) {
      d_z = context.gradient_tensor(0);
      back.d_z = d_z.data();
    }
    if (wanted.kl) {
      const Gradient& g = context.gradient(wanted.z ? 1 : 0);
      back.d_kl = g.kind == Gradient::Kind::tensor ? 1 : g.constant;
      if (g.kind == Gradient::Kind::tensor) back.device_d_kl = g.tensor.data();
    }
    Tensor d_posterior_params = empty_like(x);
    back.d_posterior_params = d_posterior_params.data();
    backend(x).posterior_backward(back, stream(x));
    context.add(0, std::move(d_posterior_params));
  };
  return result;
}

}  // namespace

Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options) {
  return run("sample_posterior", posterior_params, options, 1, {true, false}).z;
}
Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale, double weight) {
  PosteriorOptions options;
  options.scale = scale;
  return run("kl_divergence", posterior_params, options, weight, {false, true}).kl;
}
PosteriorSample sample_posterior_with_kl(const Variable& posterior_params, const PosteriorOptions& options,
                                         double weight) {
  return run("sample_posterior_with_kl", posterior_params, options, weight, {true, true});
}

namespace unfused {

Variable sample_posterior(const Variable& posterior_params, const PosteriorOptions& options) {
  const std::int64_t latent = latent_of("sample_posterior", posterior_params);
  check_options("sample_posterior", posterior_params, options);
  const Tensor epsilon = options.epsilon
                             ? options.epsilon
                             : random_normal({posterior_params.shape()[0], latent}, options.noise, 0, 1,
                                             posterior_params.dtype(), posterior_params.device());
  const Variable s = columns(posterior_params, latent, latent);
  return columns(posterior_params, 0, latent) + times_sigma(options.noise_std * epsilon, s, options.scale);
}

Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale, double weight) {
  const std::int64_t latent = latent_of("kl_divergence", posterior_params);
  const Variable mean = columns(posterior_params, 0, latent), s = columns(posterior_params, latent, latent);
  return weight * sum(kl_standard_normal(mean, s, scale));
}

PosteriorSample sample_posterior_with_kl(const Variable& posterior_params, const PosteriorOptions& options,
                                         double weight) {
  return {unfused::sample_posterior(posterior_params, options),
          unfused::kl_divergence(posterior_params, options.scale, weight)};
}

}  // namespace unfused
}  // namespace gpuvae
