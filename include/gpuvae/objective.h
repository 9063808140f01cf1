// The objectives that training maximises: the ELBO and importance-weighted bounds on log p(x), with several
// draws of z per example. ObjectiveKind in gpuvae/enums.h lists them with their formulas and sources.
#pragma once

#include <cstdint>
#include <string>

#include "gpuvae/ops.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// An objective and its settings.
struct Objective {
  ObjectiveKind kind = ObjectiveKind::elbo;  // the bound and its estimator
  std::int64_t samples = 1;                  // draws of z per example; of miwae and piwae: per group
  std::int64_t groups = 1;                   // groups of draws per example (miwae and piwae)
  double mix = 0.5;                          // share of the ELBO, from 0 to 1 (ciwae)
  bool sampled_kl = false;  // elbo: estimates the KL divergence from the draws even if a closed form exists

  // The number of draws of z per example.
  [[nodiscard]] std::int64_t draws() const { return samples * groups; }
  // Whether this is the ELBO of one draw with the KL divergence in closed form (if there is one), for which
  // Vae::negative_elbo suffices.
  [[nodiscard]] bool is_default() const { return kind == ObjectiveKind::elbo && draws() == 1 && !sampled_kl; }
  // Whether the objective is not the sum of a reconstruction and a KL term.
  [[nodiscard]] bool is_importance_weighted() const {
    return kind != ObjectiveKind::elbo && kind != ObjectiveKind::stl;
  }
  // Compares all settings.
  bool operator==(const Objective&) const = default;
};
// The largest number of draws per example.
inline constexpr std::int64_t kMaxDraws = 1'000'000;
// Throws Error, with `operation` as its origin, for settings out of range, and for several groups of an
// objective that has none.
void check_objective(const char* operation, const Objective& objective);

// Returns a description such as "iwae, 50 draws".
[[nodiscard]] std::string objective_text(const Objective& objective);

// Weights of an objective's terms.
struct ObjectiveWeights {
  double scale = 1;  // factor of the sum over examples; 1 / rows yields nats per example
  double kl = 1;     // factor of log p(z) - log q(z | x); only with 1 is the objective a bound on log p(x)
  Tensor device_kl = {};  // [1] on the model's device, multiplies `kl`; or undefined
};
// Minus an objective, and its terms for reports.
struct ObjectiveLoss {
  Variable loss;            // [1], scale times the sum over examples; to be minimised
  Variable reconstruction;  // [1], the same of the mean over draws of -log p(x | z); a constant
  Variable kl;              // [1], the same of KL(q(z | x) || p(z)), in closed form or sampled; a constant
};

}  // namespace gpuvae
#pragma GCC visibility pop
