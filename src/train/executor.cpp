#include "src/train/executor.h"

#include "kernels/check.h"
#include "kernels/log.h"

namespace gpuvae {

std::uint64_t steps_a_launch(std::uint64_t steps) {
  constexpr std::uint64_t kFewest = 50, kLargest = 100;
  if (steps <= kLargest) return std::max<std::uint64_t>(steps, 1);
  const auto launches = [=](std::uint64_t n) { return steps / n + steps % n; };
  std::uint64_t best = kLargest;
  for (std::uint64_t n = kLargest; n >= kFewest; --n)
    if (launches(n) < launches(best)) best = n;
  return best;
}

StepExecutor::StepExecutor(ChosenStep step, Executor asked, std::uint64_t steps_between)
    : body_(std::move(step.body)),
      name_(std::move(step.name)),
      asked_(asked),
      unrolled_(body_->is_fed() ? 1 : steps_a_launch(steps_between)),
      why_(std::move(step.why)) {
  const Device device = body_->device();
  check(asked == Executor::automatic || asked == Executor::eager || !device.is_cpu(), "train",
        "expected a CUDA device for the {} executor, got {}", gpuvae::name(asked), device);
  captures_ = asked != Executor::eager && !device.is_cpu();
  if (!captures_) why_ = asked == Executor::eager ? "as requested" : "steps run one by one on the CPU";
}

std::string StepExecutor::text() const {
  if (captures_)
    return fmt::format("{}: {} step{} per launch{}", name_, unrolled_, unrolled_ == 1 ? "" : "s",
                       why_.empty() ? "" : fmt::format("; not fused: {}", why_));
  return fmt::format("eager: {}", why_);
}

// Returns null if the step cannot be captured and the executor was chosen automatically.
const CudaGraph* StepExecutor::graph_of(const StepContext& step, std::uint64_t steps) {
  const auto found = graphs_.find({step.rows, steps});
  if (found != graphs_.end()) return &found->second;
  try {
    const CudaGraph* sharing = graphs_.empty() ? nullptr : &graphs_.begin()->second;
    CudaGraph graph = CudaGraph::capture(
        Stream::current(body_->device()), [&] { body_->enqueue(step); }, static_cast<int>(steps), sharing);
    return &graphs_.emplace(std::pair{step.rows, steps}, std::move(graph)).first->second;
  } catch (const Error& error) {
    if (asked_ != Executor::automatic) throw;
    captures_ = false;
    why_ = fmt::format("this step cannot be captured: {}", error.what());
    log_message(LogLevel::warning, "train", "executor {}", text());
    return nullptr;
  }
}

void StepExecutor::run(const StepContext& step, std::uint64_t steps) {
  const bool stale =
      !graphs_.empty() &&
      (step.updates.step != updates_ || graphs_.begin()->second.stream() != Stream::current(body_->device()));
  if (stale) graphs_.clear();
  updates_ = step.updates.step;
  std::uint64_t number = step.number;
  while (steps > 0) {
    if (body_->is_fed()) body_->feed(number++, step.rows);
    const std::uint64_t together = steps >= unrolled_ ? unrolled_ : 1;
    const CudaGraph* graph = captures_ && warm_.contains(step.rows) ? graph_of(step, together) : nullptr;
    if (graph) {
      graph->launch();
      steps -= together;
    } else {
      body_->enqueue(step);
      warm_.insert(step.rows);
      --steps;
    }
  }
}

}  // namespace gpuvae
