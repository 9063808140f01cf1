// Other instances of this program, as processes that run beside it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gpuvae::apps {

// How a process ended.
struct ProcessEnd {
  int exit_status = 0;
  int signal = 0;  // the signal that ended it, or 0
  bool is_success() const { return signal == 0 && exit_status == 0; }
};

// A running instance of this program. It has another process group, so that Ctrl-C in a terminal reaches
// only this process, which then stops it. If this process is killed, the instance gets SIGTERM. It inherits
// the environment, but not the variables with which mpirun starts ranks, nor open files.
class ChildProcess {
 public:
  // Starts /proc/self/exe with arguments, of which the first is the name of the program. Its output is
  // appended to the file `log`. Call this function on the main thread, because the system sends SIGTERM when
  // the thread that calls it ends. Throws Error if the process cannot be started.
  ChildProcess(const std::vector<std::string>& arguments, const std::filesystem::path& log);
  // Sends SIGKILL to a process that still runs, and waits for its end.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Returns how the process ended, or nothing while it runs.
  std::optional<ProcessEnd> poll();
  void send(int signal);

 private:
  pid_t id_ = -1;
  std::optional<ProcessEnd> end_;
};

// Lets wait() return as soon as a child process ends. At most one object may exist at a time, on the main
// thread.
class ChildSignal {
 public:
  ChildSignal();
  ~ChildSignal();
  ChildSignal(const ChildSignal&) = delete;
  ChildSignal& operator=(const ChildSignal&) = delete;

  // Waits until a child process ends, any other signal arrives, or the time is up.
  void wait(std::chrono::milliseconds most) const;

 private:
  struct Before;
  std::unique_ptr<Before> before_;
};

}  // namespace gpuvae::apps
