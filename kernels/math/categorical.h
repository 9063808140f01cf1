// The categorical distribution over the columns of a group, for scalars.
#pragma once

#include <cstdint>

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

// The sums over a group with logits l and target x, which is one-hot. The log density is the sum of x_j (l_j
// - logsumexp l), and its derivative is x - mass softmax l, where `mass` is the sum of x. A missing group
// (all zeros, or a NaN in x) has mass 0 and log density 0.
template <class T>
struct CategoricalGroup {
  T largest;      // logit
  T sum;          // of exp(l_j - largest)
  T mass;         // sum of x, or 0 if the group is missing
  T log_density;  // nats
};
template <class T>
GPUVAE_HD CategoricalGroup<T> categorical_group(const T* logits, const T* x, std::int64_t columns) {
  CategoricalGroup<T> of{logits[0], T(0), T(0), T(0)};
  for (std::int64_t j = 1; j < columns; ++j) of.largest = fmax(of.largest, logits[j]);
  T linear = T(0);
  for (std::int64_t j = 0; j < columns; ++j) {
    of.sum += exp(logits[j] - of.largest);
    of.mass += x[j];
    if (x[j] != T(0)) linear += x[j] * (logits[j] - of.largest);
  }
  if (of.mass == of.mass && of.mass != T(0))
    of.log_density = linear - of.mass * log(of.sum);
  else
    of.mass = T(0);
  return of;
}
// The derivative of the log density with respect to the logit of a column with target x.
template <class T>
GPUVAE_HD T categorical_slope(const CategoricalGroup<T>& of, T logit, T x) {
  return of.mass == T(0) ? T(0) : x - of.mass * (exp(logit - of.largest) / of.sum);
}

}  // namespace gpuvae::math
