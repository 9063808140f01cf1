// The likelihoods' formulas for scalars, chosen by kind.
#pragma once

#include "gpuvae/device/likelihood.h"
#include "kernels/math/likelihood.h"

namespace gpuvae::math {

#define GPUVAE_FORMULA GPUVAE_HD
#include "kernels/math/likelihood.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
