// The negative log likelihood of one element and its derivatives, for a kernel or a function of your own:
//
//   const float logit[1] = {l};
//   const auto nll = gpuvae::math::Bernoulli::at(logit, x, gpuvae::math::LikelihoodSettings<float>{});
//   loss += nll.value;
//   d_logit = nll.slopes[0];
//
// All values are in nats. The functions are for the host and, under nvcc, also for the device.
#pragma once

#include "gpuvae/device/continuous_bernoulli.h"
#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

inline constexpr double kLogTwoPi = 1.83787706640934548356;
inline constexpr double kLogTwo = 0.693147180559945309417;
inline constexpr double kProbabilityMargin = 1e-7;  // margin of BernoulliOfProbability

#define GPUVAE_FORMULA GPUVAE_HD
#include "gpuvae/device/likelihood_formulas.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
