// The weight that a moving average of the weights keeps at an update.
#pragma once

#include <cstdint>

#include "gpuvae/device/host_device.h"
#include "gpuvae/enums.h"

namespace gpuvae::math {

// Returns k of average = k * average + (1 - k) * weights at update number t, counted from 0. `log_decay` is
// the logarithm of `decay`, which a kernel gets from the host. The debiased form, whose usual formula divides
// an average that starts at 0 by 1 - decay^(t + 1), is written as a recurrence of the quotient.
GPUVAE_HD double average_keep(AverageForm form, double decay, double log_decay, std::uint64_t t) {
  const double n = static_cast<double>(t);
  if (form == AverageForm::zero) return decay;
  if (t == 0) return 0;
  switch (form) {
    case AverageForm::warmup: {
      const double early = (1 + n) / (10 + n);
      return early < decay ? early : decay;
    }
    case AverageForm::debiased:
      return decay * (math::expm1(n * log_decay) / math::expm1((n + 1) * log_decay));
    case AverageForm::first:
    case AverageForm::zero:
      break;
  }
  return decay;
}

}  // namespace gpuvae::math
