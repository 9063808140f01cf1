// The formulas of gates for scalars.
#pragma once

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

#define GPUVAE_FORMULA GPUVAE_HD
#include "kernels/math/gate_formulas.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
