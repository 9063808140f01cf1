// SIGINT, SIGTERM and SIGHUP during training: the run finishes its step, saves, and ends.
#pragma once

#include <stdexcept>
#include <string>

namespace gpuvae::apps {

// Thrown when a signal ends a run, after the run has saved what it could.
class Stopped : public std::runtime_error {
 public:
  Stopped(int signal, const std::string& message) : std::runtime_error(message), signal_(signal) {}
  int exit_status() const { return 128 + signal_; }

 private:
  int signal_;
};

// Catches the three signals while it exists; at most one object may exist at a time. A second signal ends the
// process at once. A signal that was ignored before, such as SIGHUP under nohup, stays ignored.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  static int received();  // the signal that arrived, or 0
};

const char* signal_name(int signal);  // "SIGINT", ...

}  // namespace gpuvae::apps
