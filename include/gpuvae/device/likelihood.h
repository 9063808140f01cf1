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

// log(2 pi).
inline constexpr double kLogTwoPi = 1.83787706640934548356;
// log 2.
inline constexpr double kLogTwo = 0.693147180559945309417;
// The least distance from 0 and 1 of the probability of BernoulliOfProbability.
inline constexpr double kProbabilityMargin = 1e-7;
// The bound of the log mean and of the log inverse dispersion of counts.
inline constexpr double kLargestLogCount = 40;

// B(2k) / (2k (2k - 1)) for k = 1, 2, ..., where B(n) are Bernoulli's numbers: Stirling's series (Abramowitz
// and Stegun, 1964, 6.1.41).
inline constexpr Coefficients<8> kStirlingErrorSeries = {
    {1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156, -3617. / 122400}};
// -B(2k) / 2k for k = 2, 3, ...: the series of digamma (ibid. 6.3.18) after its second term.
inline constexpr Coefficients<7> kDigammaTail = {
    {1. / 120, -1. / 252, 1. / 240, -1. / 132, 691. / 32760, -1. / 12, 3617. / 8160}};
// artanh(w) = w + w^3 (1/3 + w^2 / 5 + ...).
inline constexpr Coefficients<8> kArtanhTail = {
    {1. / 3, 1. / 5, 1. / 7, 1. / 9, 1. / 11, 1. / 13, 1. / 15, 1. / 17}};

#define GPUVAE_FORMULA GPUVAE_HD
#include "gpuvae/device/likelihood_formulas.h"

#include "gpuvae/device/discrete_formulas.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
