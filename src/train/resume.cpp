// Where a run stands, and how a trainer continues from there.
#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/train/rewind.h"
#include "src/train/run_state.h"

namespace gpuvae {

void Trainer::resume_after(int epochs) {
  check(epochs >= 0, "resume_after", "expected 0 or more epochs, got {}", epochs);
  restore_state({.epochs = epochs});
  if (average_) average_->restore(optimizer_.values());
  rewinds_ = 0;
  rewind_point_.reset();
}

TrainingState Trainer::state() {
  TrainingState state{.epochs = epochs_done(), .steps = step_in_epoch()};
  if (state.steps > 0) {
    const Sums sums = read_sums();
    state.reconstruction = sums.reconstruction;
    state.kl = sums.kl;
    state.objective = sums.objective;
    state.seconds = seconds_;
    state.epoch_skipped = epoch_skipped_;
    state.epoch_skipped_images = epoch_skipped_images_;
  }
  state.skipped = skipped_steps();
  state.rewinds = rewinds_;
  state.best = best_;
  if (average_) state.average = average_->values().clone();
  return state;
}

void Trainer::resume(const TrainingState& state) {
  check(state.epochs >= 0, "resume", "expected 0 or more epochs, got {}", state.epochs);
  check(state.steps < steps_per_epoch_, "resume", "expected a step of an epoch of {} steps, got {}",
        steps_per_epoch_, state.steps);
  check(state.epoch_skipped <= state.steps && state.epoch_skipped <= state.skipped &&
            state.epoch_skipped_images <= static_cast<std::uint64_t>(images_after(state.steps)),
        "resume", "expected at most {} skipped steps of {} images, got {} of {}", state.steps,
        images_after(state.steps), state.epoch_skipped, state.epoch_skipped_images);
  check(!average_ || state.average, "resume",
        "expected a state with the moving average of the weights, got one without");
  restore_state(state);
  rewinds_ = state.rewinds;
  rewind_point_.reset();
}

void Trainer::restore_state(const TrainingState& state) {
  step_ = static_cast<std::uint64_t>(state.epochs) * steps_per_epoch_ + state.steps;
  read_ = queued_ = step_;
  skipped_before_ = state.skipped - state.epoch_skipped;
  epoch_skipped_ = state.epoch_skipped;
  epoch_skipped_images_ = state.epoch_skipped_images;
  best_ = state.best;
  if (average_ && state.average) average_->restore(state.average);
  if (state.steps == 0) return;
  RunState sums{.step = step_, .updates = updates_read_};
  sums.sums[0] = state.reconstruction;
  sums.sums[1] = state.kl;
  sums.sums[2] = state.objective;
  sums.skipped = {epoch_skipped_, epoch_skipped_images_};
  write_run_state(state_, sums);
  seen_ = {state.reconstruction, state.kl, state.objective,
           images_after(state.steps) - static_cast<std::int64_t>(epoch_skipped_images_)};
  seconds_ = state.seconds;
}

}  // namespace gpuvae
