// A posterior's standard deviation from its scale parameter, from primitives.
#pragma once

#include "gpuvae/ops.h"

namespace gpuvae::unfused {

inline Variable sigma_of(const Variable& s, PosteriorScale scale) {
  constexpr double kFloor = 1e-6;  // as PosteriorScale says
  switch (scale) {
    case PosteriorScale::log_sigma:
      return exp(s);
    case PosteriorScale::softplus:
      return activate(s, Activation::softplus) + kFloor;
    case PosteriorScale::log_variance:
      break;
  }
  return exp(0.5 * s);
}

}  // namespace gpuvae::unfused
