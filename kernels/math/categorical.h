// The categorical distribution over the columns of a group, for scalars.
#pragma once

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

// The sums over a group with logits l and target x, which is one-hot. The log density is the sum of x_j (l_j
// - logsumexp l), and its derivative is x - mass softmax l, where `mass` is the sum of x. A missing group
// (all zeros, or a NaN in x) has mass 0 and log density 0.
template <class T>
struct CategoricalGroup {
  T log_sum;      // log of the sum of exp(l_j)
  T mass;         // sum of x, or 0 if the group is missing
  T log_density;  // nats
};
template <class T>
GPUVAE_HD CategoricalGroup<T> categorical_group(const T* logits, const T* x, int columns) {
  CategoricalGroup<T> of{T(0), T(0), T(0)};
  T largest = logits[0], sum = T(0), linear = T(0);
  for (int j = 1; j < columns; ++j) largest = fmax(largest, logits[j]);
  for (int j = 0; j < columns; ++j) {
    sum += exp(logits[j] - largest);
    of.mass += x[j];
    if (x[j] != T(0)) linear += x[j] * (logits[j] - largest);
  }
  const T log_sum = log(sum);
  of.log_sum = largest + log_sum;
  if (of.mass == of.mass && of.mass != T(0))
    of.log_density = linear - of.mass * log_sum;
  else
    of.mass = T(0);
  return of;
}
// The derivative of the log density with respect to the logit of a column with target x.
template <class T>
GPUVAE_HD T categorical_slope(const CategoricalGroup<T>& of, T logit, T x) {
  return of.mass == T(0) ? T(0) : x - of.mass * exp(logit - of.log_sum);
}

}  // namespace gpuvae::math
