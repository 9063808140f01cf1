#include <cmath>

#include "tests/cases/case.h"
#include "tests/cases/reference_random.h"

namespace gpuvae::cases {
namespace {

double log_normal(double x, double mean, double stddev) {
  const double u = (x - mean) / stddev;
  return -u * u / 2 - std::log(stddev * std::sqrt(2 * M_PI));
}

// Computes draws and their log ratios from the densities.
std::vector<Doubles> draws_reference(const Doubles& params, const DrawsSetting& s,
                                     const PosteriorOptions& o) {
  Doubles z, ratios;
  const std::int64_t numbers = (s.latent + 3) / 4 * 4;
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t k = 0; k < s.draws; ++k) {
      double ratio = 0;
      for (std::int64_t d = 0; d < s.latent; ++d) {
        const double mean = params[r * 2 * s.latent + d],
                     stddev = o.noise_std * sigma_of(s.scale, params[r * 2 * s.latent + s.latent + d]);
        const double epsilon = reference_normal(o.noise.seed, o.noise.purpose, o.noise.clock.step,
                                                static_cast<std::uint32_t>(o.noise.first_sample + r),
                                                static_cast<std::uint32_t>(k * numbers + d));
        z.push_back(mean + epsilon * stddev);
        ratio -= log_normal(z.back(), mean, stddev);
        if (s.standard_normal) ratio += log_normal(z.back(), 0, 1);
      }
      ratios.push_back(ratio);
    }
  return {z, ratios};
}

std::string gradient_suffix(EncoderGradient gradient) {
  std::string suffix;
  if (gradient != EncoderGradient::total) suffix.append("_").append(name(gradient));
  return suffix;
}

// The results of one row of log weights, in long double, whose exponent range suffices for all cases.
struct RowResult {
  double bound, log_likelihood, log_ratio, effective;
};
RowResult row_reference(const double* log_likelihood, const double* log_ratio, const ImportanceSetting& s) {
  long double log_means = 0, all = 0, squares = 0, log_weights = 0, likelihoods = 0, ratios = 0;
  const std::int64_t draws = s.groups * s.samples;
  for (std::int64_t g = 0; g < s.groups; ++g) {
    long double sum = 0;
    for (std::int64_t k = g * s.samples; k < (g + 1) * s.samples; ++k) {
      const long double log_w = log_likelihood[k] + s.kl_weight * log_ratio[k], w = std::exp(log_w);
      sum += w;
      squares += w * w;
      log_weights += log_w;
      likelihoods += log_likelihood[k];
      ratios += log_ratio[k];
    }
    all += sum;
    log_means += std::log(sum / static_cast<long double>(s.samples));
  }
  const auto n = static_cast<long double>(draws);
  return {static_cast<double>(s.elbo_share * log_weights / n +
                              (1 - s.elbo_share) * log_means / static_cast<long double>(s.groups)),
          static_cast<double>(likelihoods / n), static_cast<double>(ratios / n),
          static_cast<double>(all * all / squares)};
}

}  // namespace

Case posterior_draws_case(const DrawsSetting& s) {
  Case c{.operation = "sample_posterior_draws"};
  c.name = c.operation + "/" + std::string(name(s.scale)) + Shape{s.rows, s.latent, s.draws}.text() +
           gradient_suffix(s.gradient) + (s.standard_normal ? "" : "_without_prior");
  c.inputs = {{{s.rows, 2 * s.latent}, -1.5, 1.5}};
  c.true_gradient = s.gradient == EncoderGradient::total;
  PosteriorOptions o{
      .scale = s.scale, .noise_std = 0.7, .noise = {.seed = 0x1234567890abcdefull}, .epsilon = {}};
  o.noise.clock.step = 5;
  o.noise.first_sample = 11;
  const auto wrap = [=](auto sample, bool curand) {
    return [=](std::span<const Variable> v) -> Variables {
      PosteriorDrawOptions options{o, s.draws, s.standard_normal, s.gradient};
      if (curand)
        options.posterior.epsilon =
            curand_normal({s.rows * s.draws, s.latent}, o.noise.seed, 0, 1, v[0].value().device());
      const PosteriorDraws draws = sample(v[0], options);
      return {draws.z, draws.log_ratio};
    };
  };
  c.run = wrap(sample_posterior_draws, false);
  c.unfused = wrap(unfused::sample_posterior_draws, false);
  c.unfused_curand = wrap(unfused::sample_posterior_draws, true);
  c.reference = [=](auto v) { return draws_reference(v[0], s, o); };
  const auto params = static_cast<double>(2 * s.rows * s.latent),
             z = static_cast<double>(s.rows * s.draws * s.latent),
             ratios = static_cast<double>(s.rows * s.draws);
  c.forward_bytes = 4 * (params + z + ratios);
  c.bytes = c.forward_bytes + 4 * (2 * params + z + ratios);
  c.forward_flops = 14 * z;
  c.flops = 30 * z;
  return c;
}

Case importance_case(const ImportanceSetting& s) {
  Case c{.operation = "importance_weighted_loss"};
  c.name = c.operation + "/" + Shape{s.rows, s.groups, s.samples}.text() + "_share" +
           std::to_string(static_cast<int>(std::lround(100 * s.elbo_share))) + "_kl" +
           std::to_string(static_cast<int>(std::lround(100 * s.kl_weight))) +
           (s.differentiable ? "" : "_all");
  const std::int64_t draws = s.rows * s.groups * s.samples;
  c.inputs = {{{draws, 1}, -3, 3, 0, s.differentiable}, {{draws, 1}, -3, 3, 0, s.differentiable}};
  const double weight = 0.25;
  const auto wrap = [=](auto loss) {
    return [=](std::span<const Variable> v) -> Variables {
      const ImportanceLoss l = loss(v[0], v[1],
                                    {.samples = s.samples,
                                     .groups = s.groups,
                                     .elbo_share = s.elbo_share,
                                     .weight = weight,
                                     .kl_weight = s.kl_weight,
                                     .device_kl_weight = {}});
      if (s.differentiable) return {l.loss};
      return {l.loss, l.reconstruction, l.kl, l.bounds, l.effective_samples};
    };
  };
  c.run = wrap(importance_weighted_loss);
  c.unfused = wrap(unfused::importance_weighted_loss);
  c.reference = [=](auto v) {
    Doubles loss{0}, reconstruction{0}, kl{0}, bounds, effective;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      const std::int64_t first = r * s.groups * s.samples;
      const RowResult row = row_reference(v[0].data() + first, v[1].data() + first, s);
      loss[0] -= weight * row.bound;
      reconstruction[0] -= weight * row.log_likelihood;
      kl[0] -= weight * row.log_ratio;
      bounds.push_back(row.bound);
      effective.push_back(row.effective);
    }
    if (s.differentiable) return std::vector<Doubles>{loss};
    return std::vector<Doubles>{loss, reconstruction, kl, bounds, effective};
  };
  const auto n = static_cast<double>(draws);
  c.forward_bytes = 4 * (2 * n + 2 * static_cast<double>(s.rows) + 3);
  c.bytes = c.forward_bytes + 4 * 2 * n;
  c.forward_flops = 6 * n;
  c.flops = 11 * n;
  return c;
}

std::vector<Case> importance_cases() {
  std::vector<Case> cases;
  for (int scale = 0; scale <= static_cast<int>(PosteriorScale::softplus); ++scale)
    for (const EncoderGradient gradient :
         {EncoderGradient::total, EncoderGradient::path, EncoderGradient::doubly_reparameterized}) {
      cases.push_back(posterior_draws_case({7, 3, 5, PosteriorScale(scale), gradient}));
      cases.push_back(posterior_draws_case({3, 8, 40, PosteriorScale(scale), gradient, false}));
    }
  cases.push_back(posterior_draws_case({1, 1, 1}));
  cases.push_back(posterior_draws_case({20, 50, 50}));
  cases.push_back(posterior_draws_case({3, 300, 2}));
  cases.push_back(posterior_draws_case({70000, 1, 1}));
  for (const bool differentiable : {true, false}) {
    for (const double share : {0.0, 0.3, 1.0})
      for (const double kl_weight : {1.0, 0.5})
        cases.push_back(importance_case({6, 1, 5, share, kl_weight, differentiable}));
    cases.push_back(importance_case({1, 1, 1, 0, 1, differentiable}));
    cases.push_back(importance_case({9, 3, 7, 0, 1, differentiable}));
    cases.push_back(importance_case({20, 1, 50, 0, 1, differentiable}));
    cases.push_back(importance_case({2, 1, 3000, 0.5, 1, differentiable}));
    cases.push_back(importance_case({30000, 2, 2, 0, 1, differentiable}));
  }
  return cases;
}

}  // namespace gpuvae::cases
