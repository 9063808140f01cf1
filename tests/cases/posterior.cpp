#include <cmath>

#include "tests/cases/case.h"
#include "tests/cases/reference_random.h"

namespace gpuvae::cases {

double sigma_of(PosteriorScale scale, double s) {
  switch (scale) {
    case PosteriorScale::log_sigma:
      return std::exp(s);
    case PosteriorScale::softplus:
      return std::log(1 + std::exp(s)) + 1e-6;
    case PosteriorScale::log_variance:
      break;
  }
  return std::sqrt(std::exp(s));
}

namespace {

using Form = PosteriorForm;

// Computes draws, and the KL divergence by its closed form as a function of sigma^2.
std::vector<Doubles> reference(const Doubles& posterior_params, std::int64_t rows, std::int64_t latent,
                               PosteriorScale scale, const PosteriorOptions& o, double weight, Form form) {
  Doubles z, kl{0};
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t d = 0; d < latent; ++d) {
      const double mu = posterior_params[r * 2 * latent + d],
                   sigma = sigma_of(scale, posterior_params[r * 2 * latent + latent + d]);
      const double epsilon = reference_normal(o.noise.seed, o.noise.purpose, o.noise.clock.step,
                                              static_cast<std::uint32_t>(o.noise.first_sample + r),
                                              static_cast<std::uint32_t>(d));
      z.push_back(mu + o.noise_std * epsilon * sigma);
      kl[0] += weight * 0.5 * (mu * mu + sigma * sigma - 1 - std::log(sigma * sigma));
    }
  if (form == Form::sample) return {z};
  if (form == Form::kl) return {kl};
  return {z, kl};
}

}  // namespace

Case posterior_case(PosteriorForm form, PosteriorScale scale, std::int64_t rows, std::int64_t latent) {
  const char* operation = form == Form::sample ? "sample_posterior"
                          : form == Form::kl   ? "kl_divergence"
                                               : "sample_posterior_with_kl";
  Case c{.operation = operation};
  c.name = c.operation + "/" + std::string(name(scale)) + Shape{rows, latent}.text();
  c.inputs = {{{rows, 2 * latent}, -2, 2}};
  PosteriorOptions o{
      .scale = scale, .noise_std = 0.7, .noise = {.seed = 0x1234567890abcdefull}, .epsilon = {}};
  o.noise.clock.step = 5;
  o.noise.first_sample = 11;
  const double weight = 0.01;
  const auto wrap = [=](auto sample, auto divergence, auto both) {
    return [=](std::span<const Variable> v) -> Variables {
      if (form == Form::sample) return {sample(v[0], o)};
      if (form == Form::kl) return {divergence(v[0], scale, weight)};
      const PosteriorSample s = both(v[0], o, weight);
      return {s.z, s.kl};
    };
  };
  c.run = wrap(sample_posterior, kl_divergence, sample_posterior_with_kl);
  c.unfused = wrap(unfused::sample_posterior, unfused::kl_divergence, unfused::sample_posterior_with_kl);
  if (form != Form::kl)
    c.unfused_curand = [=](std::span<const Variable> v) -> Variables {
      PosteriorOptions drawn = o;
      drawn.epsilon = curand_normal({v[0].shape()[0], latent}, o.noise.seed, 0, 1, v[0].value().device());
      if (form == Form::sample) return {unfused::sample_posterior(v[0], drawn)};
      const PosteriorSample s = unfused::sample_posterior_with_kl(v[0], drawn, weight);
      return {s.z, s.kl};
    };
  c.reference = [=](auto v) { return reference(v[0], rows, latent, scale, o, weight, form); };
  // The forward pass reads the posterior parameters and writes z. The backward pass reads the parameters and
  // dz and writes the gradient of the parameters.
  const auto n = static_cast<double>(rows * latent);
  const double z = form == Form::kl ? 0 : 1;
  c.forward_bytes = 4 * n * (2 + z);
  c.bytes = c.forward_bytes + 4 * n * (2 + z + 2);
  c.forward_flops = 12 * n;
  c.flops = 20 * n;
  return c;
}

std::vector<Case> posterior_cases() {
  std::vector<Case> cases;
  for (Form form : {Form::sample, Form::kl, Form::both})
    for (int scale = 0; scale <= static_cast<int>(PosteriorScale::softplus); ++scale) {
      cases.push_back(posterior_case(form, PosteriorScale(scale), 100, 2));
      cases.push_back(posterior_case(form, PosteriorScale(scale), 33, 17));
      cases.push_back(posterior_case(form, PosteriorScale(scale), 1, 1));
    }
  cases.push_back(posterior_case(Form::both, PosteriorScale::log_variance, 70000, 3));
  cases.push_back(posterior_case(Form::both, PosteriorScale::log_variance, 17, 1000));
  return cases;
}

}  // namespace gpuvae::cases
