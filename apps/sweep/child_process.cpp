#include "apps/sweep/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "kernels/check.h"
#include "src/io/file.h"

namespace gpuvae::apps {
namespace {

// What a new process needs between fork() and exec(), where it must not allocate memory.
struct ChildStart {
  std::vector<char*> arguments, environment;
  int input = -1, output = -1;
  pid_t parent = 0;
  sigset_t mask{};  // the signals that the new process blocks

  ~ChildStart() {
    if (input >= 0) ::close(input);
    if (output >= 0) ::close(output);
  }
};

// Returns the environment without the variables of Open MPI, MPICH and PMIx, by which a new process would
// take this one's place among the ranks.
std::vector<char*> environment_without_mpi() {
  std::vector<char*> environment;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    const auto starts = [&](std::string_view prefix) { return text.starts_with(prefix); };
    if (!starts("OMPI_") && !starts("PMIX_") && !starts("PMI_")) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  return environment;
}

// Signal handlers of this process become the default action. Ignored signals stay ignored.
void reset_handlers() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) ::signal(signal, SIG_DFL);
  }
}

// Runs in the new process.
[[noreturn]] void execute(const ChildStart& start) {
  constexpr int kNotStarted = 127;
  reset_handlers();
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != start.parent) ::_exit(kNotStarted);  // the parent ended before prctl()
  ::dup2(start.input, STDIN_FILENO);
  ::dup2(start.output, STDOUT_FILENO);
  ::dup2(start.output, STDERR_FILENO);
  ::sigprocmask(SIG_SETMASK, &start.mask, nullptr);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);  // such as MPI's connections to its launcher
  ::execve("/proc/self/exe", start.arguments.data(), start.environment.data());
  ::_exit(kNotStarted);
}

int open_file(const char* path, int flags) {
  const int descriptor = ::open(path, flags | O_CLOEXEC, 0666);
  check(descriptor >= 0, file_error("write"), "{}: {}", path, std::generic_category().message(errno));
  return descriptor;
}

ProcessEnd end_of(int status) {
  if (WIFSIGNALED(status)) return {.exit_status = 128 + WTERMSIG(status), .signal = WTERMSIG(status)};
  return {.exit_status = WEXITSTATUS(status), .signal = 0};
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  ChildStart start;
  for (const std::string& argument : arguments)
    start.arguments.push_back(const_cast<char*>(argument.c_str()));  // execve() does not change them
  start.arguments.push_back(nullptr);
  start.environment = environment_without_mpi();
  start.input = open_file("/dev/null", O_RDONLY);
  start.output = open_file(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  start.parent = ::getpid();
  // A signal that arrives before exec() waits in the new process until its handlers are reset.
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &start.mask);
  const sigset_t mask = start.mask;
  sigdelset(&start.mask, SIGCHLD);
  id_ = ::fork();
  if (id_ == 0) execute(start);
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  check(id_ > 0, "sweep", "expected a new process, got: {}", std::generic_category().message(error));
}

ChildProcess::~ChildProcess() {
  if (end_) return;
  ::kill(id_, SIGKILL);
  while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<ProcessEnd> ChildProcess::poll() {
  int status = 0;
  if (!end_ && ::waitpid(id_, &status, WNOHANG) == id_) end_ = end_of(status);
  return end_;
}

void ChildProcess::send(int signal) {
  if (!end_) ::kill(id_, signal);
}

struct ChildSignal::Before {
  sigset_t mask;
  struct sigaction action;
};

// The signal stays pending while it is blocked, so wait() cannot miss it. If SIGCHLD were ignored, the system
// would discard how a process ended.
ChildSignal::ChildSignal() : before_(std::make_unique<Before>()) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, &before_->action);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, &before_->mask);
}

ChildSignal::~ChildSignal() {
  ::sigprocmask(SIG_SETMASK, &before_->mask, nullptr);
  ::sigaction(SIGCHLD, &before_->action, nullptr);
}

void ChildSignal::wait(std::chrono::milliseconds most) const {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
  const timespec time{seconds.count(), std::chrono::nanoseconds(most - seconds).count()};
  ::sigtimedwait(&child, nullptr, &time);
}

}  // namespace gpuvae::apps
