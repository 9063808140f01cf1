// Which weights a run saves: early stopping (--patience), the best epoch (--save-best) and the moving average
// (--ema).
#include <fmt/format.h>

#include <cstdio>

#include "apps/run/progress.h"
#include "apps/run/run_files.h"
#include "apps/run/session.h"
#include "gpuvae/output_bias.h"
#include "src/data/counted.h"

namespace gpuvae::apps {

bool Session::has_ended() const {
  return trainer_->epochs_done() >= config_.epochs || trainer_->patience_is_over();
}

ModelWeights Session::weights_to_save() const {
  const bool best = config_.training.patience > 0 && has_ended() && trainer_->best().epoch > 0;
  return best ? ModelWeights::best : ModelWeights::evaluated;
}

// The checkpoint has the same weights, so that a run that continues writes the file again if it is missing.
void Session::save_best(Durability durability) const {
  const int epoch = trainer_->best().epoch;
  if (config_.save_best && epoch > 0)
    save_weights(folder_ / kBestFile, epoch, ModelWeights::best, durability);
}

// Gives the model the weights of model.safetensors, for the pictures and the report.
void Session::finish_training() {
  const ModelWeights which = weights_to_save();
  trainer_->load_weights(which);
  if (which != ModelWeights::best) return;
  const BestEpoch& best = trainer_->best();
  best_epoch_ = best.epoch;
  const std::string why =
      trainer_->patience_is_over()
          ? fmt::format("stopped after epoch {}, because {} brought no better validation loss: ",
                        trainer_->epochs_done(), counted(config_.training.patience, "epoch"))
          : "";
  std::fprintf(stderr, "best    %sthe model is that of epoch %d (%s %s)\n", why.c_str(), best.epoch,
               loss_text(best.loss, 2).c_str(), unit().c_str());
}

void Session::set_output_bias() {
  if (config_.data_output_bias) start_output_bias(*model_, train_, config_.training.data);
}

}  // namespace gpuvae::apps
