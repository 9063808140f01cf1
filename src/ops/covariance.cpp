// Reparameterised sampling from a Gaussian posterior with a full covariance matrix.
#include "src/core/random.h"
#include "src/ops/op.h"

namespace gpuvae {
namespace {

using namespace ops;

// Returns the number of dimensions whose parameters have the given number of columns, or 0 if there is none.
std::int64_t latent_of_columns(std::int64_t columns) {
  std::int64_t latent = 0;
  while (kernels::covariance_params(latent) < columns) ++latent;
  return kernels::covariance_params(latent) == columns ? latent : 0;
}

std::int64_t check_covariance(const char* name, const Variable& params, const Tensor& epsilon) {
  check_defined(name, params, "posterior_params");
  check_real(name, params);
  const std::int64_t latent = params.shape().rank() == 2 ? latent_of_columns(params.shape()[1]) : 0;
  check(
      latent > 0, name,
      "expected posterior_params of [rows, latent (latent + 3) / 2] (mean, log diagonal, elements below the "
      "diagonal), got {}",
      params.shape());
  if (epsilon) {
    check_like(name, epsilon, params);
    check(epsilon.shape() == Shape({params.shape()[0], latent}), name, "expected epsilon of [{}, {}], got {}",
          params.shape()[0], latent, epsilon.shape());
  }
  return latent;
}

Tensor epsilon_for(const Variable& params, std::int64_t latent, const Noise& noise, const Tensor& given) {
  if (given) return given;
  return random_normal({params.shape()[0], latent}, noise, 0, 1, params.dtype(), params.device());
}

// A draw, and its log density or the KL divergence per row.
struct CovarianceSample {
  Variable z, term;
};
CovarianceSample run_covariance(const char* name, const Variable& params, const Noise& noise,
                                const Tensor& given, bool kl) {
  const std::int64_t latent = check_covariance(name, params, given), rows = params.shape()[0];
  const Tensor epsilon = epsilon_for(params, latent, noise, given);
  const Tensor z = Tensor::empty({rows, latent}, params.dtype(), params.device());
  const Tensor term = Tensor::empty({rows, 1}, params.dtype(), params.device());
  kernels::CovarianceArgs args{.dtype = params.dtype(), .rows = rows, .latent = latent};
  args.params = params.value().data();
  args.epsilon = epsilon.data();
  args.z = z.data();
  (kl ? args.kl : args.log_density) = term.data();
  backend(z).full_covariance(args, stream(z));
  if (!GraphAccess::needs_gradient({&params})) return {z, term};
  auto node = GraphAccess::make_node(name, {&params});
  node->backward = [=, kept = Saved(name, params.value()),
                    kept_epsilon = Saved(name, epsilon)](BackwardContext& context) {
    const Tensor& x = kept.get();
    kept_epsilon.get();
    const Tensor d_z = context.gradient_tensor(0), d_term = context.gradient_tensor(1);
    Tensor d_params = empty_like(x);
    kernels::CovarianceBackwardArgs back{.forward = args, .d_z = d_z.data(), .d_params = d_params.data()};
    (kl ? back.d_kl : back.d_log_density) = d_term.data();
    backend(x).full_covariance_backward(back, stream(x));
    context.add(0, std::move(d_params));
  };
  return {GraphAccess::output(node, z), GraphAccess::output(node, term)};
}

}  // namespace

DensitySample sample_full_covariance(const Variable& posterior_params, const Noise& noise,
                                     const Tensor& epsilon) {
  const CovarianceSample sample =
      run_covariance("sample_full_covariance", posterior_params, noise, epsilon, false);
  return {sample.z, sample.term};
}
PosteriorSample sample_full_covariance_with_kl(const Variable& posterior_params, const Noise& noise,
                                               const Tensor& epsilon, double weight) {
  const CovarianceSample sample =
      run_covariance("sample_full_covariance_with_kl", posterior_params, noise, epsilon, true);
  return {sample.z, weight * sum(sample.term)};
}

namespace unfused {
namespace {

// The draw, and the sums over a row that its density and its KL divergence need.
struct CovarianceParts {
  Variable z, log_diagonal, squares;
};
CovarianceParts covariance_parts(const Variable& params, std::int64_t latent, const Tensor& epsilon) {
  const Variable mean = columns(params, 0, latent), a = columns(params, latent, latent);
  const Variable diagonal = exp(a);
  std::vector<Variable> off_diagonal;
  Variable squares = sum(square(diagonal) + square(mean), Axis::columns);
  for (std::int64_t i = 0, first = 2 * latent; i < latent; first += i, ++i) {
    if (i == 0) {
      off_diagonal.emplace_back(Tensor::zeros({params.shape()[0], 1}, params.dtype(), params.device()));
      continue;
    }
    const Variable row = columns(params, first, i);
    off_diagonal.push_back(sum(row * columns(epsilon, 0, i), Axis::columns));
    squares = squares + sum(square(row), Axis::columns);
  }
  return {mean + diagonal * epsilon + concat(off_diagonal, Axis::columns), sum(a, Axis::columns), squares};
}

}  // namespace

DensitySample sample_full_covariance(const Variable& posterior_params, const Noise& noise,
                                     const Tensor& given) {
  const std::int64_t latent = check_covariance("sample_full_covariance", posterior_params, given);
  const Variable epsilon = epsilon_for(posterior_params, latent, noise, given);
  const CovarianceParts parts = covariance_parts(posterior_params, latent, epsilon.value());
  constexpr double kHalfLogTwoPi = 0.918938533204672742;
  return {parts.z,
          affine(sum(square(epsilon), Axis::columns), -0.5, -kHalfLogTwoPi * static_cast<double>(latent)) -
              parts.log_diagonal};
}
PosteriorSample sample_full_covariance_with_kl(const Variable& posterior_params, const Noise& noise,
                                               const Tensor& given, double weight) {
  const std::int64_t latent = check_covariance("sample_full_covariance_with_kl", posterior_params, given);
  const CovarianceParts parts =
      covariance_parts(posterior_params, latent, epsilon_for(posterior_params, latent, noise, given));
  const Variable kl = affine(parts.squares, 0.5, -0.5 * static_cast<double>(latent)) - parts.log_diagonal;
  return {parts.z, weight * sum(kl)};
}

}  // namespace unfused
}  // namespace gpuvae
