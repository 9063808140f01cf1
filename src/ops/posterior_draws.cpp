// Several reparameterised draws per row from the diagonal Gaussian posterior, with the log ratio of prior and
// posterior.
#include <cmath>
#include <limits>

#include "src/core/random.h"
#include "src/ops/draws.h"
#include "src/ops/op.h"
#include "src/ops/sigma.h"

namespace gpuvae {
namespace {

using namespace ops;

constexpr const char* kDrawsName = "sample_posterior_draws";

struct DrawExtents {
  std::int64_t rows, latent;
};

DrawExtents check_draws(const Variable& posterior_params, const PosteriorDrawOptions& options) {
  const PosteriorOptions& o = options.posterior;
  check_defined(kDrawsName, posterior_params, "posterior_params");
  check_real(kDrawsName, posterior_params);
  const Shape& shape = posterior_params.shape();
  check(shape.rank() == 2 && shape[1] % 2 == 0, kDrawsName,
        "expected posterior_params of [rows, 2 latent] (mean, then scale parameter), got {}", shape);
  check_enumerator(kDrawsName, "scale", o.scale);
  check_enumerator(kDrawsName, "gradient", options.gradient);
  check(o.noise_std > 0 && std::isfinite(o.noise_std), kDrawsName, "expected a noise_std above 0, got {}",
        o.noise_std);
  check(options.draws > 0, kDrawsName, "expected 1 or more draws, got {}", options.draws);
  const std::int64_t rows = shape[0], latent = shape[1] / 2;
  if (o.epsilon) {
    check_like(kDrawsName, o.epsilon, posterior_params);
    check(o.epsilon.shape() == Shape({rows * options.draws, latent}), kDrawsName,
          "expected epsilon of [{}, {}], got {}", rows * options.draws, latent, o.epsilon.shape());
  }
  return {rows, latent};
}

}  // namespace

PosteriorDraws sample_posterior_draws(const Variable& posterior_params, const PosteriorDrawOptions& options) {
  const auto [rows, latent] = check_draws(posterior_params, options);
  const Tensor& x = posterior_params.value();
  const PosteriorOptions& o = options.posterior;
  kernels::PosteriorDrawsArgs args{.dtype = x.dtype(), .scale = o.scale, .rows = rows, .latent = latent};
  args.draws = options.draws;
  args.noise_std = o.noise_std;
  args.standard_normal = options.standard_normal;
  args.noise = kernel_noise(kDrawsName, o.noise, rows, x.device());
  args.epsilon = o.epsilon ? o.epsilon.data() : nullptr;
  args.posterior_params = x.data();
  Tensor z = Tensor::empty({rows * args.draws, latent}, x.dtype(), x.device());
  Tensor log_ratio = Tensor::empty({rows * args.draws, 1}, x.dtype(), x.device());
  args.z = z.data();
  args.log_ratio = log_ratio.data();
  backend(x).posterior_draws(args, stream(x));
  if (!GraphAccess::needs_gradient({&posterior_params})) return {z, log_ratio};

  auto node = GraphAccess::make_node(kDrawsName, {&posterior_params});
  PosteriorDraws result{GraphAccess::output(node, z), GraphAccess::output(node, log_ratio)};
  // The lambda captures the clock's device_step, too, so that all memory to which `args` points is kept.
  node->backward = [args, gradient = options.gradient, kept = Saved(kDrawsName, x),
                    epsilon = Saved(kDrawsName, o.epsilon), samples = Saved(kDrawsName, o.noise.samples),
                    step = o.noise.clock.device_step](BackwardContext& context) {
    const Tensor& x = kept.get();
    epsilon.get();
    samples.get();
    kernels::PosteriorDrawsBackwardArgs back{.forward = args, .gradient = gradient};
    Tensor d_z, d_log_ratio;
    if (context.gradient(0).kind != Gradient::Kind::none) {
      d_z = context.gradient_tensor(0);
      back.d_z = d_z.data();
    }
    if (context.gradient(1).kind != Gradient::Kind::none) {
      d_log_ratio = context.gradient_tensor(1);
      back.d_log_ratio = d_log_ratio.data();
    }
    Tensor d_posterior_params = empty_like(x);
    back.d_posterior_params = d_posterior_params.data();
    backend(x).posterior_draws_backward(back, stream(x));
    context.add(0, std::move(d_posterior_params));
  };
  return result;
}

namespace ops {

// The draws of a row continue its sequence of numbers, and each begins with a new block of four.
Tensor draw_epsilon(const Noise& noise, std::int64_t rows, std::int64_t latent, std::int64_t draws,
                    DType dtype, Device device) {
  const NoGradGuard no_grad;
  const std::int64_t numbers = kernels::numbers_per_draw(latent);
  const Tensor all = random_normal({rows, draws * numbers}, noise, 0, 1, dtype, device);
  return columns(all.reshape({rows * draws, numbers}), 0, latent).value();
}

namespace {

// Returns each draw's share of the gradients of its row, [rows * draws, 1]; 0 if these are 0.
Variable shares_of(const Tensor& gradients, std::int64_t draws) {
  const std::int64_t n = gradients.shape().elements();
  const Variable by_row = abs(reshape(gradients, {n / draws, draws}));
  // The smallest normal number, so that the quotient of zeros is 0.
  const double tiny = gradients.dtype() == DType::f64 ? std::numeric_limits<double>::min()
                                                      : std::numeric_limits<float>::min();
  return reshape(by_row / (sum(by_row, Axis::columns) + tiny), {n, 1});
}

}  // namespace

WeightedDraw doubly_reparameterize(const Variable& z, const Variable& log_density, std::int64_t draws) {
  if (!GraphAccess::needs_gradient({&z, &log_density})) return {z, log_density};
  auto node = GraphAccess::make_node("doubly_reparameterize", {&z, &log_density});
  WeightedDraw result{GraphAccess::output(node, z.value()), GraphAccess::output(node, log_density.value())};
  node->backward = [draws](BackwardContext& context) {
    const NoGradGuard no_grad;
    const Tensor d_z = context.gradient_tensor(0), d_log_density = context.gradient_tensor(1);
    const Variable shares = shares_of(d_log_density, draws);
    if (context.needs(0)) context.add(0, (d_z * shares).value());
    if (context.needs(1)) context.add(1, (d_log_density * shares).value());
  };
  return result;
}

}  // namespace ops

namespace unfused {

PosteriorDraws sample_posterior_draws(const Variable& posterior_params, const PosteriorDrawOptions& options) {
  const auto [rows, latent] = check_draws(posterior_params, options);
  const bool stopped = options.gradient != EncoderGradient::total;
  const Variable params = repeat_rows(posterior_params, options.draws);
  const Variable of_q = stopped ? params.detach() : params;
  PosteriorOptions o = options.posterior;
  if (!o.epsilon)
    o.epsilon = draw_epsilon(o.noise, rows, latent, options.draws, params.dtype(), params.device());
  const Variable z = unfused::sample_posterior(params, o);
  const Variable log_stddev = log_sigma_of(columns(of_q, latent, latent), o.scale) + std::log(o.noise_std);
  const Variable u = (z - columns(of_q, 0, latent)) * inverse_sigma(log_stddev);
  constexpr double kHalfLogTwoPi = 0.918938533204672742;
  const Variable log_q = sum(affine(0.5 * square(u) + log_stddev, -1, -kHalfLogTwoPi), Axis::columns);
  WeightedDraw draw{z, log_q};
  if (options.gradient == EncoderGradient::doubly_reparameterized)
    draw = doubly_reparameterize(z, log_q, options.draws);
  if (!options.standard_normal) return {draw.z, -draw.log_density};
  const Variable log_p = sum(affine(square(draw.z), -0.5, -kHalfLogTwoPi), Axis::columns);
  return {draw.z, log_p - draw.log_density};
}

}  // namespace unfused
}  // namespace gpuvae
