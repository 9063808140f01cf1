// The state to which a run goes back (OnNan::rewind).
#pragma once

#include "gpuvae/train.h"

namespace gpuvae {

struct Trainer::RewindPoint {
  TrainingState state;
  std::uint64_t updates = 0;  // of the optimiser
  Tensor values, state1, state2;
};

}  // namespace gpuvae
