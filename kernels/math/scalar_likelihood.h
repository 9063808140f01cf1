// The likelihoods' formulas for scalars.
#pragma once

#include "kernels/math/continuous_bernoulli.h"
#include "kernels/math/likelihood.h"
#include "kernels/math/scalar.h"

namespace gpuvae::math {

#define GPUVAE_FORMULA GPUVAE_HD
#include "kernels/math/likelihood.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
