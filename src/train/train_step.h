// A training step as executors see it: one whole step, put on the current stream.
#pragma once

#include <cstdint>

#include "gpuvae/device.h"
#include "gpuvae/random.h"
#include "gpuvae/tensor.h"
#include "src/train/run_state.h"

namespace gpuvae {

struct StepContext {
  Clock clock = {};           // of the step: reads state->step
  Clock updates = {};         // finished updates of the optimiser: reads state->step too
  std::int64_t rows = 0;      // of the batch: a full one, or the ragged last one
  RunState* state = nullptr;  // on the device
  Tensor factors = {};        // of the learning rate, as Optimizer::step takes them
};

class TrainStep {
 public:
  virtual ~TrainStep() = default;
  // Batch, losses, gradients, update, sums; its last kernel advances state->step. Neither waits nor decides
  // anything by the number of the step, so that it may be captured and launched again.
  virtual void enqueue(const StepContext& step) = 0;
  virtual Device device() const = 0;
};

}  // namespace gpuvae
