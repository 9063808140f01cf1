// Converts the options of each optimiser to OptimizerOptions.
#include "gpuvae/optim.h"

namespace gpuvae {

SGDOptions::operator OptimizerOptions() const {
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::sgd);
  o.learning_rate = learning_rate;
  o.beta1 = momentum;
  o.l2 = l2;
  o.l2_biases = l2_biases;
  o.clip_norm = clip_norm;
  return o;
}

RMSpropOptions::operator OptimizerOptions() const {
  OptimizerOptions o =
      OptimizerOptions::defaults(tensorflow1 ? OptimizerKind::rmsprop_tf1 : OptimizerKind::rmsprop);
  o.learning_rate = learning_rate;
  o.beta2 = rho;
  o.epsilon = epsilon;
  o.l2 = l2;
  o.l2_biases = l2_biases;
  o.clip_norm = clip_norm;
  return o;
}

AdagradOptions::operator OptimizerOptions() const {
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::adagrad);
  o.learning_rate = learning_rate;
  o.epsilon = epsilon;
  o.l2 = l2;
  o.l2_biases = l2_biases;
  o.clip_norm = clip_norm;
  return o;
}

AdamOptions::operator OptimizerOptions() const {
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::adam);
  o.learning_rate = learning_rate;
  o.beta1 = beta1;
  o.beta2 = beta2;
  o.epsilon = epsilon;
  o.l2 = l2;
  o.l2_biases = l2_biases;
  o.clip_norm = clip_norm;
  return o;
}

AdamWOptions::operator OptimizerOptions() const {
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::adamw);
  o.learning_rate = learning_rate;
  o.beta1 = beta1;
  o.beta2 = beta2;
  o.epsilon = epsilon;
  o.l2 = weight_decay;
  o.l2_biases = decay_biases;
  o.clip_norm = clip_norm;
  return o;
}

}  // namespace gpuvae
