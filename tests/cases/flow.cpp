// Test cases of planar flows, steps of inverse autoregressive flows, and Gaussians with a full covariance
// matrix.
#include <cmath>

#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

// Applies the layers of one row to z in place. Returns the log determinant.
double planar_row(Doubles& z, const double* params, std::int64_t layers) {
  const auto latent = static_cast<std::int64_t>(z.size());
  double log_det = 0;
  for (std::int64_t l = 0; l < layers; ++l, params += 2 * latent + 1) {
    const double *w = params, *u = params + latent;
    double wz = params[2 * latent], wu = 0, ww = 0;
    for (std::int64_t i = 0; i < latent; ++i) {
      wz += w[i] * z[i];
      wu += w[i] * u[i];
      ww += w[i] * w[i];
    }
    const double m = std::log1p(std::exp(wu)) - 1, t = std::tanh(wz);
    for (std::int64_t i = 0; i < latent; ++i) z[i] += (u[i] + (m - wu) * w[i] / ww) * t;
    log_det += std::log(1 + (1 - t * t) * m);
  }
  return log_det;
}

}  // namespace

Case planar_flow_case(std::int64_t rows, std::int64_t latent, std::int64_t layers) {
  Case c{.operation = "planar_flow"};
  c.name = "planar_flow/" + Shape{rows, latent, layers}.text();
  const std::int64_t width = layers * (2 * latent + 1);
  // Weights far from 0 keep 1 / |w|^2 moderate, and small ones keep tanh from 1, near which the unfused log
  // determinant loses digits.
  const double spread = latent < 20 ? 0.8 : 0.25;
  c.inputs = {{{rows, latent}, -1.5, 1.5}, {{rows, width}, -spread, spread, latent < 5 ? 0.4 : 0.1}};
  const auto wrap = [](auto flow) {
    return [=](std::span<const Variable> v) {
      const FlowSample sample = flow(v[0], v[1]);
      return Variables{sample.z, sample.log_det};
    };
  };
  c.run = wrap(planar_flow);
  c.unfused = wrap(unfused::planar_flow);
  c.reference = [=](auto v) {
    Doubles out, log_det;
    for (std::int64_t r = 0; r < rows; ++r) {
      Doubles z(v[0].begin() + r * latent, v[0].begin() + (r + 1) * latent);
      log_det.push_back(planar_row(z, v[1].data() + r * width, layers));
      out.insert(out.end(), z.begin(), z.end());
    }
    return std::vector<Doubles>{out, log_det};
  };
  const auto z = static_cast<double>(rows * latent), params = static_cast<double>(rows * width);
  c.forward_flops = static_cast<double>(layers) * 10 * z;
  c.flops = static_cast<double>(layers) * 36 * z;
  c.forward_bytes = 4 * (2 * z + params + static_cast<double>(rows));
  c.bytes = c.forward_bytes + 4 * (static_cast<double>(layers + 2) * z + 2 * params);
  return c;
}

Case autoregressive_step_case(std::int64_t rows, std::int64_t latent) {
  Case c{.operation = "autoregressive_step"};
  c.name = "autoregressive_step/" + Shape{rows, latent}.text();
  c.inputs = {{{rows, latent}, -2, 2}, {{rows, 2 * latent}, -3, 3}};
  const auto wrap = [](auto flow) {
    return [=](std::span<const Variable> v) {
      const FlowSample sample = flow(v[0], v[1]);
      return Variables{sample.z, sample.log_det};
    };
  };
  c.run = wrap(autoregressive_step);
  c.unfused = wrap(unfused::autoregressive_step);
  c.reference = [=](auto v) {
    Doubles out, log_det;
    for (std::int64_t r = 0; r < rows; ++r) {
      log_det.push_back(0);
      for (std::int64_t i = 0; i < latent; ++i) {
        const double m = v[1][2 * r * latent + i], s = v[1][(2 * r + 1) * latent + i] + 2;
        const double gate = 1 / (1 + std::exp(-s));
        out.push_back(gate * v[0][r * latent + i] + (1 - gate) * m);
        log_det.back() += log_sigmoid(s);
      }
    }
    return std::vector<Doubles>{out, log_det};
  };
  const auto z = static_cast<double>(rows * latent);
  c.forward_flops = 12 * z;
  c.flops = 26 * z;
  c.forward_bytes = 4 * (4 * z + static_cast<double>(rows));
  c.bytes = c.forward_bytes + 4 * (7 * z + static_cast<double>(rows));
  return c;
}

Case full_covariance_case(std::int64_t rows, std::int64_t latent, bool kl) {
  Case c{.operation = kl ? "sample_full_covariance_with_kl" : "sample_full_covariance"};
  c.name = c.operation + "/" + Shape{rows, latent}.text();
  const std::int64_t width = latent * (latent + 3) / 2;
  c.inputs = {{{rows, width}, -1, 1}, {{rows, latent}, -2, 2, 0, false}};
  const double weight = 0.1;
  const auto wrap = [=](auto sample, auto with_kl) {
    return [=](std::span<const Variable> v) {
      if (kl) {
        const PosteriorSample s = with_kl(v[0], Noise{}, v[1].value(), weight);
        return Variables{s.z, s.kl};
      }
      const DensitySample s = sample(v[0], Noise{}, v[1].value());
      return Variables{s.z, s.log_density};
    };
  };
  c.run = wrap(sample_full_covariance, sample_full_covariance_with_kl);
  c.unfused = wrap(unfused::sample_full_covariance, unfused::sample_full_covariance_with_kl);
  c.reference = [=](auto v) {
    Doubles z, log_density, total{0};
    for (std::int64_t r = 0; r < rows; ++r) {
      const double *mean = v[0].data() + r * width, *a = mean + latent, *below = a + latent;
      const double* epsilon = v[1].data() + r * latent;
      double density = 0, divergence = 0;
      for (std::int64_t i = 0; i < latent; ++i) {
        double sum = mean[i] + std::exp(a[i]) * epsilon[i];
        divergence += 0.5 * (std::exp(2 * a[i]) + mean[i] * mean[i] - 1) - a[i];
        for (std::int64_t j = 0; j < i; ++j, ++below) {
          sum += *below * epsilon[j];
          divergence += 0.5 * *below * *below;
        }
        z.push_back(sum);
        density -= 0.5 * epsilon[i] * epsilon[i] + 0.5 * std::log(2 * M_PI) + a[i];
      }
      log_density.push_back(density);
      total[0] += weight * divergence;
    }
    return std::vector<Doubles>{z, kl ? total : log_density};
  };
  const auto params = static_cast<double>(rows * width), z = static_cast<double>(rows * latent);
  c.forward_flops = 4 * params;
  c.flops = 8 * params;
  c.forward_bytes = 4 * (params + 2 * z + static_cast<double>(kl ? 1 : rows));
  c.bytes = c.forward_bytes + 4 * (2 * params + 2 * z);
  return c;
}

std::vector<Case> flow_cases() {
  std::vector<Case> cases{planar_flow_case(1, 1, 1),        planar_flow_case(9, 3, 2),
                          planar_flow_case(33, 17, 4),      planar_flow_case(200, 20, 3),
                          planar_flow_case(5, 100, 1),      autoregressive_step_case(1, 1),
                          autoregressive_step_case(33, 17), autoregressive_step_case(300, 50)};
  for (const bool kl : {false, true}) {
    cases.push_back(full_covariance_case(1, 1, kl));
    cases.push_back(full_covariance_case(7, 2, kl));
    cases.push_back(full_covariance_case(40, 17, kl));
    cases.push_back(full_covariance_case(9, 50, kl));
  }
  return cases;
}

}  // namespace gpuvae::cases
