#include "src/train/objective_checks.h"

#include "gpuvae/types.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/log.h"
#include "src/distributions/built_in.h"

namespace gpuvae {
namespace {

constexpr double kBytesPerGiB = 1 << 30;

// Whether the gradient treats the parameters of q as constants in log q(z | x).
bool stops_posterior(ObjectiveKind kind) {
  return kind == ObjectiveKind::stl || kind == ObjectiveKind::iwae_stl || kind == ObjectiveKind::dreg;
}

}  // namespace

double draw_bytes(const VaeOptions& model, const TrainOptions& options) {
  const bool repeats = !model.likelihood->repeats_targets();
  double values = 2 * static_cast<double>(model.features) * model.likelihood->params_per_feature() +
                  3 * static_cast<double>(model.latent) +
                  (repeats ? static_cast<double>(model.features) : 0.0);
  for (const std::int64_t width : model.decoder_widths) values += 2 * static_cast<double>(width);
  return sizeof(float) * values * static_cast<double>(options.batch_size) *
         static_cast<double>(options.objective.draws());
}

void check_objective_options(const Vae& model, const TrainOptions& options) {
  const Objective& objective = options.objective;
  check_objective("train", objective);
  if (objective.is_default()) return;
  // log q at constant parameters of a flow, as a function of z, would need the inverse of the flow.
  check(!stops_posterior(objective.kind) || !is_flow(model.posterior()), "objective",
        "expected the posterior gaussian or full for {}, got {}", name(objective.kind),
        model.posterior().name());
  check(options.free_bits == 0, "train", "expected no free bits with the objective {}, got {}",
        objective_text(objective), options.free_bits);
  check(!options.pixel_mean, "train", "expected no pixel_mean with the objective {}",
        objective_text(objective));
  const double bytes = draw_bytes(model.options(), options);
  const auto available = static_cast<double>(model.device().backend().available_memory());
  check(!(bytes > available), Origin("train", ErrorKind::out_of_memory),
        "expected draws that fit into the memory of {}, got {} examples of {} draws, which need about {:.1f} "
        "GiB "
        "({:.1f} GiB are available)",
        model.device(), options.batch_size, objective.draws(), bytes / kBytesPerGiB,
        available / kBytesPerGiB);
  if (bytes > kBytesPerGiB)
    log_message(LogLevel::warning, "train", "the {} x {} draws of a step need about {:.1f} GiB",
                options.batch_size, objective.draws(), bytes / kBytesPerGiB);
}

}  // namespace gpuvae
