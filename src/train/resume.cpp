// Where a run stands, and how a trainer continues from there.
#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/train/run_state.h"

namespace gpuvae {

void Trainer::resume_after(int epochs) {
  check(epochs >= 0, "resume_after", "expected 0 or more epochs, got {}", epochs);
  step_ = static_cast<std::uint64_t>(epochs) * steps_per_epoch_;
}

TrainingState Trainer::state() {
  TrainingState state{.epochs = epochs_done(), .steps = step_in_epoch()};
  if (state.steps == 0) return state;
  const Sums sums = read_sums();
  state.reconstruction = sums.reconstruction;
  state.kl = sums.kl;
  state.seconds = seconds_;
  return state;
}

void Trainer::resume(const TrainingState& state) {
  check(state.steps < steps_per_epoch_, "resume", "expected a step of an epoch of {} steps, got {}",
        steps_per_epoch_, state.steps);
  resume_after(state.epochs);
  if (state.steps == 0) return;
  step_ += state.steps;
  RunState sums{.step = step_};
  sums.sums[0] = state.reconstruction;
  sums.sums[1] = state.kl;
  write_run_state(state_, sums);
  seen_ = {state.reconstruction, state.kl, images_after(state.steps)};
  seconds_ = state.seconds;
}

}  // namespace gpuvae
