// What the machine did besides a measurement: time stolen by the hypervisor, other processes, waiting.
#pragma once

#include <filesystem>
#include <string>

namespace gpuvae::bench {

// Counters since the start of the system or of the process. Differences of two snapshots describe an
// interval. Values that the system does not report are 0 (`megahertz` and `load`: negative).
struct MachineSnapshot {
  double wall = 0;        // seconds of a monotonic clock
  double steal = 0;       // seconds that the hypervisor kept the usable processors from running
  double busy = 0;        // seconds in which the usable processors worked, for any process
  double own = 0;         // seconds that this process computed on all its threads
  double switches = 0;    // involuntary context switches of all threads of this process
  double waiting = 0;     // seconds that threads of this process were ready to run and had no processor
  double load = -1;       // load average of the last minute
  double megahertz = -1;  // current frequency of the first usable processor
  int processors = 1;     // usable ones: those of the calling thread's affinity mask
};
// Reads /proc/stat, /proc/loadavg and /sys/devices/system/cpu. `root` replaces / in tests.
MachineSnapshot take_snapshot(const std::filesystem::path& root = "/");

// The state of the machine during one round of measurements.
struct MachineState {
  double seconds = 0, steal = 0;
  double others = 0;  // seconds of computation by other processes
  double switches = 0, waiting = 0;
  double load = -1, megahertz = -1;
  int processors = 1;

  // Returns why the round is regarded as disturbed, such as "steal time 3 %", or an empty string. The
  // thresholds are 1 % of the processors' time for steal time, and 5 % each for other processes and for
  // waiting. /proc/stat counts in units of 10 ms, so that in short rounds a single unit of steal time exceeds
  // the threshold, and less than 20 ms of other processes do not count. Context switches are recorded but do
  // not mark a round, because their number does not tell how long they last: services of the system interrupt
  // a process often and briefly.
  std::string disturbance() const;
};
MachineState between(const MachineSnapshot& begin, const MachineSnapshot& end);

}  // namespace gpuvae::bench
