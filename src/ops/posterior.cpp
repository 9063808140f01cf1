// Reparameterised sampling from the diagonal Gaussian posterior, and its KL divergence, alone or in one pass.
#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

std::int64_t latent_of(const char* name, const Variable& posterior_params) {
  check_defined(name, posterior_params, "posterior_params");
  check(posterior_params.shape().rank() == 2 && posterior_params.shape()[1] % 2 == 0, name,
        "expected posterior_params of [rows, 2 latent] (mean, then scale parameter), got {}",
        posterior_params.shape());
  return posterior_params.shape()[1] / 2;
}

void check_options(const char* name, const Variable& posterior_params, const PosteriorOptions& o) {
  const std::int64_t rows = posterior_params.shape()[0], latent = posterior_params.shape()[1] / 2;
  check(o.noise_std >= 0, name, "expected a noise_std of 0 or more, got {}", o.noise_std);
  if (o.epsilon) {
    check_like(name, o.epsilon, posterior_params);
    check(o.epsilon.shape() == Shape({rows, latent}), name, "expected epsilon of [{}, {}], got {}", rows,
          latent, o.epsilon.shape());
  }
  if (o.samples)
    check(o.samples.dtype() == DType::i32 && o.samples.elements() == rows &&
              o.samples.device() == posterior_params.device(),
          name, "expected samples of i32[{}] on {}, got {}", rows, posterior_params.device(), o.samples);
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
  args.noise_std = options.noise_std, args.kl_weight = weight;
  args.noise = options.noise;
  if (options.samples) args.noise.samples = options.samples.data_as<std::int32_t>();
  args.epsilon = options.epsilon ? options.epsilon.data() : nullptr;
  args.posterior_params = x.data();
  Tensor z, kl;
  if (wanted.z) z = Tensor::empty({args.rows, latent}, x.dtype(), x.device()), args.z = z.data();
  if (wanted.kl) kl = scalar_like(x), args.kl = kl.data();
  backend(x).posterior(args, stream(x));
  if (!GraphAccess::needs_gradient({&posterior_params}))
    return {z ? Variable(z) : Variable(), kl ? Variable(kl) : Variable()};

  auto node = GraphAccess::make_node(name, {&posterior_params});
  PosteriorSample result;
  if (wanted.z) result.z = GraphAccess::output(node, z);
  if (wanted.kl) result.kl = GraphAccess::output(node, kl);
  node->backward = [=, kept = Saved(name, x), epsilon = Saved(name, options.epsilon),
                    samples = Saved(name, options.samples)](BackwardContext& context) {
    const Tensor& x = kept.get();
    epsilon.get();
    samples.get();
    kernels::PosteriorBackwardArgs back{.forward = args};
    Tensor d_z;
    if (wanted.z && context.gradient(0).kind != Gradient::Kind::none)
      d_z = context.gradient_tensor(0), back.d_z = d_z.data();
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
  Noise noise = options.noise;
  if (options.samples) noise.samples = options.samples.data_as<std::int32_t>();
  const Tensor epsilon = options.epsilon ? options.epsilon
                                         : random_normal({posterior_params.shape()[0], latent}, noise, 0, 1,
                                                         posterior_params.dtype(), posterior_params.device());
  const Variable sigma = sigma_of(columns(posterior_params, latent, latent), options.scale);
  return columns(posterior_params, 0, latent) + options.noise_std * sigma * epsilon;
}

Variable kl_divergence(const Variable& posterior_params, PosteriorScale scale, double weight) {
  const std::int64_t latent = latent_of("kl_divergence", posterior_params);
  const Variable mean = columns(posterior_params, 0, latent),
                 sigma = sigma_of(columns(posterior_params, latent, latent), scale);
  const Variable squares = affine(square(sigma) + square(mean), 0.5, -0.5);
  return weight * sum(squares - log(sigma));
}

PosteriorSample sample_posterior_with_kl(const Variable& posterior_params, const PosteriorOptions& options,
                                         double weight) {
  return {unfused::sample_posterior(posterior_params, options),
          unfused::kl_divergence(posterior_params, options.scale, weight)};
}

}  // namespace unfused
}  // namespace gpuvae
