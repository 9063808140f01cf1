#include "bench/machine_state.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <system_error>

namespace gpuvae::bench {
namespace {

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}

// Adds the line of one processor in /proc/stat: "cpu0 user nice system idle iowait irq softirq steal ...".
void add_processor(std::istringstream& line, MachineSnapshot& s) {
  const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0;
  line >> user >> nice >> system >> idle >> wait >> irq >> softirq >> steal;
  s.busy += tick * (user + nice + system + irq + softirq);
  s.steal += tick * steal;
}

void read_processors(const std::filesystem::path& root, MachineSnapshot& s) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return;
  s.processors = CPU_COUNT(&usable);
  int first = 0;
  while (first < CPU_SETSIZE && !CPU_ISSET(first, &usable)) ++first;
  std::ifstream stat(root / "proc/stat");
  for (std::string text; std::getline(stat, text) && text.starts_with("cpu");) {
    std::istringstream line(text.substr(3));
    int index = -1;
    if (text.size() > 3 && text[3] != ' ' && line >> index && index >= 0 && index < CPU_SETSIZE &&
        CPU_ISSET(index, &usable))
      add_processor(line, s);
  }
  const std::filesystem::path processors = root / "sys/devices/system/cpu";
  std::ifstream frequency(processors / fmt::format("cpu{}/cpufreq/scaling_cur_freq", first));
  if (double kilohertz = 0; frequency >> kilohertz) s.megahertz = kilohertz / 1000;
}

// Adds up the second number in the schedstat of every thread, which counts nanoseconds.
double seconds_waiting(const std::filesystem::path& root) {
  double nanoseconds = 0;
  std::error_code ended;  // a thread may end between two calls
  for (const auto& task : std::filesystem::directory_iterator(root / "proc/self/task", ended)) {
    std::ifstream file(task.path() / "schedstat");
    if (double running = 0, waiting = 0; file >> running >> waiting) nanoseconds += waiting;
  }
  return 1e-9 * nanoseconds;
}

}  // namespace

MachineSnapshot take_snapshot(const std::filesystem::path& root) {
  MachineSnapshot s;
  s.wall = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  rusage own{};
  if (getrusage(RUSAGE_SELF, &own) == 0) {
    s.own = seconds_of(own.ru_utime) + seconds_of(own.ru_stime);
    s.switches = static_cast<double>(own.ru_nivcsw);
  }
  s.waiting = seconds_waiting(root);
  read_processors(root, s);
  std::ifstream load(root / "proc/loadavg");
  if (double minute = 0; load >> minute) s.load = minute;
  return s;
}

MachineState between(const MachineSnapshot& begin, const MachineSnapshot& end) {
  MachineState state;
  state.seconds = end.wall - begin.wall;
  state.steal = std::max(0.0, end.steal - begin.steal);
  state.others = std::max(0.0, (end.busy - begin.busy) - (end.own - begin.own));
  state.switches = end.switches - begin.switches;
  state.waiting = std::max(0.0, end.waiting - begin.waiting);  // less if a thread has ended
  state.load = end.load;
  state.megahertz = end.megahertz;
  state.processors = end.processors;
  return state;
}

std::string MachineState::disturbance() const {
  constexpr double kSteal = 0.01, kOthers = 0.05, kLeastOthers = 0.02, kWaiting = 0.05;
  const double available = seconds * processors;
  std::string reasons;
  const auto add = [&](const std::string& reason) { reasons += (reasons.empty() ? "" : ", ") + reason; };
  if (steal > kSteal * available)
    add(fmt::format("steal time {:.0f} %", 100 * std::min(1.0, steal / available)));
  if (others >= kLeastOthers && others > kOthers * available)
    add(fmt::format("other processes {:.0f} %", 100 * std::min(1.0, others / available)));
  if (waiting > kWaiting * available)
    add(fmt::format("waiting for a processor {:.0f} %", 100 * std::min(1.0, waiting / available)));
  return reasons;
}

}  // namespace gpuvae::bench
