// The objectives that training maximises: the ELBO and importance-weighted bounds on log p(x), with several
// draws of z per example, and the estimators of their gradients.
//
// With log w_k = log p(x | z_k) + log p(z_k) - log q(z_k | x) for the draws z_1, ..., z_K of an example, the
// objective of an example is
//   elbo      the mean of log w_k; without `sampled_kl`, and if the KL divergence has a closed form, the mean
//   of
//             log p(x | z_k) minus that divergence (Kingma and Welling, 2013)
//   stl       the ELBO with sampled KL; the parameters of q count as constants in log q, so that the gradient
//   is
//             0 at the exact posterior (Roeder, Wu and Duvenaud, 2017)
//   iwae      log (mean of w_k), at least the ELBO and at most log p(x) in expectation (Burda, Grosse and
//             Salakhutdinov, 2015)
//   iwae_stl  iwae with the gradient of stl, which is biased if K > 1
//   dreg      iwae; the encoder has the doubly reparameterised gradient, which is unbiased (Tucker, Lawson,
//   Gu and
//             Maddison, 2018)
//   ciwae     mix times the ELBO plus 1 - mix times iwae
//   miwae     the mean over `groups` of iwae of `samples` draws each
//   piwae     miwae for the encoder, and iwae of all draws for the decoder (the last three: Rainforth et al.,
//   2018)
#pragma once

#include <cstdint>
#include <string>

#include "gpuvae/ops.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// An objective and its settings.
struct Objective {
  ObjectiveKind kind = ObjectiveKind::elbo;
  std::int64_t samples = 1;  // draws of z per example; of miwae and piwae: per group
  std::int64_t groups = 1;   // groups of draws per example (miwae and piwae)
  double mix = 0.5;          // share of the ELBO, from 0 to 1 (ciwae)
  bool sampled_kl = false;   // elbo: estimates the KL divergence from the draws even if a closed form exists

  // The number of draws of z per example.
  [[nodiscard]] std::int64_t draws() const { return samples * groups; }
  // Whether this is the ELBO of one draw with the KL divergence in closed form (if there is one), for which
  // Vae::negative_elbo suffices.
  [[nodiscard]] bool is_default() const { return kind == ObjectiveKind::elbo && draws() == 1 && !sampled_kl; }
  // Whether the objective is not the sum of a reconstruction and a KL term.
  [[nodiscard]] bool is_importance_weighted() const {
    return kind != ObjectiveKind::elbo && kind != ObjectiveKind::stl;
  }
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
