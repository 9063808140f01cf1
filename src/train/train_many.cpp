#include "gpuvae/train_many.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <system_error>
#include <thread>

#include "gpuvae/threads.h"
#include "kernels/check.h"
#include "kernels/cpu/parallel/pool.h"

namespace gpuvae {
namespace {

TrainOutcome outcome_of(const TrainFunction& function) {
  TrainOutcome outcome;
  try {
    outcome.epochs = function();
  } catch (...) {
    outcome.error = std::current_exception();
  }
  return outcome;
}

// Starts up to `count` threads, or fewer if the system refuses more. They block all signals, which are left
// to the threads of the program.
std::vector<std::jthread> start_threads(std::size_t count, const std::function<void()>& work) {
  std::vector<std::jthread> threads;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (threads.size() < count) threads.emplace_back(work);
  } catch (const std::system_error&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return threads;
}

}  // namespace

std::vector<TrainOutcome> train_many(std::span<const TrainFunction> functions, int threads) {
  check(threads >= 0, "train_many", "expected 0 or more threads, got {}", threads);
  for (const TrainFunction& function : functions)
    check(static_cast<bool>(function), "train_many", "expected functions, got an empty one");
  std::vector<TrainOutcome> outcomes(functions.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    const kernels::SingleThread single;
    for (std::size_t i = next++; i < functions.size(); i = next++) outcomes[i] = outcome_of(functions[i]);
  };
  const auto most = static_cast<std::size_t>(threads > 0 ? threads : num_threads());
  const std::size_t used = std::min(most, functions.size());
  if (used == 0) return outcomes;
  {
    const std::vector<std::jthread> others = start_threads(used - 1, work);
    work();
  }
  return outcomes;
}

std::vector<TrainOutcome> train_many(std::span<const TrainJob> jobs, int threads) {
  std::set<const Trainer*> known;
  std::vector<TrainFunction> functions;
  for (const TrainJob& job : jobs) {
    check(job.trainer != nullptr, "train_many", "expected a trainer, got null");
    check(known.insert(job.trainer).second, "train_many", "expected different trainers, got one twice");
    functions.emplace_back([job] { return job.trainer->run_epochs(job.epochs); });
  }
  return train_many(functions, threads);
}

}  // namespace gpuvae
