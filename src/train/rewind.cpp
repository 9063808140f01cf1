// What a trainer does when a step fails: it goes back (OnNan::rewind), or says where the run ended.
#include "src/train/rewind.h"

#include <string_view>

#include "kernels/check.h"
#include "kernels/log.h"

namespace gpuvae {
namespace {

// The text of an error without the name of its operation.
std::string_view message_of(const Error& error) {
  const std::string_view text = error.what();
  const std::size_t end = text.find("] ");
  return end == std::string_view::npos ? text : text.substr(end + 2);
}

}  // namespace

// Runs `body`, which trains to the end of an epoch or less, again after every rewind.
void Trainer::run_with_rewinds(const std::function<void()>& body) {
  if (options_.on_nan == OnNan::rewind && !rewind_point_) keep_rewind_point();
  for (;;) {
    try {
      body();
      if (step_in_epoch() == 0) keep_rewind_point();
      return;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cuda) fail_device(error);
      if (options_.on_nan != OnNan::rewind || error.kind() != ErrorKind::not_finite) throw;
      rewind(error);
    }
  }
}

// The last gradient of an epoch may have made a weight infinite, which only the next step's loss would show.
void Trainer::keep_rewind_point() {
  if (options_.on_nan != OnNan::rewind) return;
  check(optimizer_.is_finite(), Origin("train", ErrorKind::not_finite),
        "the weights or the optimiser's state are not finite after step {}", step_);
  rewind_point_ = std::make_unique<RewindPoint>(
      RewindPoint{state(), optimizer_.steps(), optimizer_.values().clone(), optimizer_.state1().clone(),
                  optimizer_.state2() ? optimizer_.state2().clone() : Tensor()});
}

void Trainer::rewind(const Error& error) {
  check(rewinds_ < kMaxRewinds, Origin("train", ErrorKind::not_finite),
        "{}; the run went back {} times with half the learning rate", message_of(error), kMaxRewinds);
  ++rewinds_;
  const RewindPoint& point = *rewind_point_;
  const double rate = optimizer_.learning_rate() / 2;
  optimizer_.values().copy_from(point.values);
  optimizer_.restore(point.updates, point.state1, point.state2);
  optimizer_.set_learning_rate(rate);
  restore_state(point.state);
  of_call_ = {};
  for (StepWatch& watch : step_callbacks_) watch.since_report = {};
  log_message(LogLevel::warning, "train", "rewind {} of {} to epoch {}, learning rate {}: {}", rewinds_,
              kMaxRewinds, point.state.epochs, optimizer_.learning_rate(), message_of(error));
  if (rewind_callback_)
    rewind_callback_({std::string(message_of(error)), rewinds_, point.state, optimizer_.learning_rate()});
}

// The device reports a failure some time after the kernel that caused it.
void Trainer::fail_device(const Error& error) const {
  const std::string device = model_.device().text();
  if (read_ >= queued_)
    fail(Origin("train", ErrorKind::cuda), "{} failed after step {}: {}", device, queued_, error.what());
  const std::string steps = read_ + 1 == queued_
                                ? fmt::format("step {}", queued_)
                                : fmt::format("one of the steps {} to {}", read_ + 1, queued_);
  fail(Origin("train", ErrorKind::cuda), "{} failed at {} (epoch {}): {}", device, steps,
       (queued_ - 1) / steps_per_epoch_ + 1, error.what());
}

}  // namespace gpuvae
