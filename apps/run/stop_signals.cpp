#include "apps/run/stop_signals.h"

#include <atomic>
#include <csignal>

namespace gpuvae::apps {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
// The variable is atomic, because any thread may receive the signal.
std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers must not wait");
struct sigaction previous_actions[3];

void receive(int signal) {
  if (received_signal != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  received_signal = signal;
}

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = receive;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) {
    sigaction(kSignals[i], nullptr, &previous_actions[i]);
    if (previous_actions[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &previous_actions[i], nullptr);
}

int StopSignals::received() { return received_signal; }

const char* signal_name(int signal) {
  return signal == SIGINT    ? "SIGINT"
         : signal == SIGTERM ? "SIGTERM"
         : signal == SIGHUP  ? "SIGHUP"
                             : "a signal";
}

}  // namespace gpuvae::apps
