// The group Optimiser.
#include "apps/cli/settings.h"

namespace gpuvae::apps {

std::vector<Setting> optimizer_settings(RunConfig& c) {
  OptimizerOptions& o = c.optimizer;
  ScheduleSettings& s = c.schedule;
  return {
      {"--optimizer", choice(o.kind, OptimizerKind::adamw),
       "optimiser; --learning-rate, --beta1, --beta2, --epsilon and --l2 get its usual values where they are "
       "not "
       "given"},
      {"--learning-rate", number(o.learning_rate, above_zero()),
       "learning rate of the optimiser; with --schedule or --lr-warmup, the largest one of the run"},
      {"--beta1", number(o.beta1, fraction_below_one()),
       "decay (0 or more, below 1) of the first moment (--optimizer adam or adamw), or momentum (--optimizer "
       "sgd)"},
      {"--beta2", number(o.beta2, fraction_below_one()),
       "decay (0 or more, below 1) of the second moment (--optimizer adam or adamw), or rho (--optimizer "
       "rmsprop or "
       "rmsprop_tf1)"},
      {"--epsilon", number(o.epsilon, at_least(0)),
       "small number added to the denominator of an update (every --optimizer but sgd)"},
      {"--l2", number(o.l2, at_least(0)),
       "factor of the L2 penalty ||weights||^2 in the loss; with --optimizer adamw, decoupled weight decay"},
      {"--l2-biases", yes(o.l2_biases), "apply --l2 to the biases as well as to the weights"},
      {"--schedule", one_of(s.name, schedule_names()),
       "schedule of the learning rate: constant keeps it, step multiplies it by --lr-decay-rate every "
       "--lr-decay-epochs, cosine lowers it along half a cosine to --lr-final at the last of --epochs, "
       "iwae multiplies it by 10^(-i/7) in stage i of eight stages, each three times as long as the one "
       "before, scaled to --epochs (with 3280 epochs they take 1, 3, 9, ... epochs, as in the paper)"},
      {"--lr-warmup", number(s.warmup_epochs, at_least(0)),
       "number of epochs over which the learning rate rises linearly from 0 to --learning-rate"},
      {"--lr-decay-epochs", number(s.decay_epochs, above_zero()),
       "number of epochs between two decays of the learning rate (--schedule step)"},
      {"--lr-decay-rate", number(s.decay_rate, above_zero()),
       "factor by which each decay multiplies the learning rate (--schedule step)"},
      {"--lr-final", number(s.final_rate, at_least(0)),
       "learning rate at the end of the run, at most --learning-rate (--schedule cosine)"},
      {"--ema", number(c.training.average.decay, fraction_below_one()),
       "decay (0 or more, below 1) of a moving average of the weights, such as 0.999: the model is "
       "validated and saved with the average, and the checkpoint also keeps the trained weights; 0 makes "
       "no average"},
      {"--ema-form", choice(c.training.average.form, AverageForm::zero),
       "beginning of the average of --ema with decay D: warmup uses min(D, (1 + t) / (10 + t)) at update t "
       "from 0, debiased starts at 0 and divides by 1 - D^(t + 1), first starts at the weights after the "
       "first update, zero starts at 0 and stays biased towards it"},
      {"--clip-norm", number(o.clip_norm, at_least(0)),
       "largest norm of the gradient; a gradient with a larger norm is scaled down to it; 0 does not clip"},
  };
}

}  // namespace gpuvae::apps
