// The weights of a trainer's model: those of the training steps, their moving average, and those of the best
// epoch.
#include "gpuvae/train.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

// Gives the arena of an optimiser back its content.
class RestoredWeights {
 public:
  explicit RestoredWeights(const Tensor& weights) : weights_(weights), before_(weights.clone()) {}
  ~RestoredWeights() {
    try {
      weights_.copy_from(before_);
    } catch (const Error&) {  // the device has failed, which the next call reports
    }
  }
  RestoredWeights(const RestoredWeights&) = delete;
  RestoredWeights& operator=(const RestoredWeights&) = delete;

 private:
  Tensor weights_, before_;
};

}  // namespace

// Returns an undefined tensor if these are the weights that the model has.
Tensor Trainer::weights_of(ModelWeights which) const {
  if (which == ModelWeights::evaluated && average_) return average_->values();
  if (which != ModelWeights::best) return {};
  check(static_cast<bool>(best_.weights), "train", "expected a best epoch, but no epoch was compared so far");
  return best_.weights;
}

void Trainer::with_weights(ModelWeights which, const std::function<void()>& body) {
  const Tensor weights = weights_of(which);
  if (!weights) return body();
  const RestoredWeights restored(optimizer_.values());
  optimizer_.values().copy_from(weights);
  body();
}

void Trainer::load_weights(ModelWeights which) {
  if (const Tensor weights = weights_of(which)) optimizer_.values().copy_from(weights);
}

// Returns the validation loss with KL weight 1, which bounds -log p(x). For importance-weighted objectives it
// does not follow from the reconstruction and the KL term, so that another KL weight needs another
// evaluation.
double Trainer::loss_to_compare(const EpochResult& result) {
  if (!options_.objective.is_importance_weighted())
    return result.validation.reconstruction + result.validation.kl;
  if (options_.beta == 1) return result.validation.loss;
  return evaluate_in(static_cast<std::uint64_t>(result.epoch) - 1, validation_, 1).loss;
}

// During the KL warm-up, the model still learns to use less of the code, so that the validation may get worse
// for a while without a reason to stop.
void Trainer::compare_with_best(EpochResult& result, double loss) {
  result.best = best_.epoch == 0 || loss < best_.loss;
  if (result.best) {
    const Tensor weights = average_ ? average_->values() : optimizer_.values();
    best_ = {result.epoch, loss, 0, weights.clone()};
  } else if (result.epoch - 1 >= options_.warmup_epochs) {
    ++best_.waited;
  }
}

}  // namespace gpuvae
