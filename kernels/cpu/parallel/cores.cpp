#include "kernels/cpu/parallel/cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace gpuvae::kernels {
namespace {

namespace fs = std::filesystem;

int processors_in_mask() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) return CPU_COUNT(&mask);
  // The mask of a machine with more than 1,024 processors does not fit.
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Returns the whole processors of a quota per period, in microseconds, or INT_MAX if there is no quota.
int processors_of(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<int>(std::max(1.0, quota / period)) : INT_MAX;
}

// Version 2 has one file with both numbers, or with "max" for no quota.
int quota_in_v2(const fs::path& folder) {
  double quota = 0, period = 0;
  std::ifstream(folder / "cpu.max") >> quota >> period;
  return processors_of(quota, period);
}
int quota_in_v1(const fs::path& folder) {
  double quota = 0, period = 0;
  std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
  std::ifstream(folder / "cpu.cfs_period_us") >> period;
  return processors_of(quota, period);
}

// Returns the smallest quota of a control group and those that contain it.
int smallest_quota(const fs::path& mount, fs::path group, int (*quota_in)(const fs::path&)) {
  int smallest = quota_in(mount);
  for (group = group.relative_path(); !group.empty(); group = group.parent_path())
    smallest = std::min(smallest, quota_in(mount / group));
  return smallest;
}

}  // namespace

int usable_processors(const fs::path& root) {
  int smallest = processors_in_mask();
  const fs::path mount = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  // A line is "number:controllers:group". Version 2 has no controllers.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") smallest = std::min(smallest, smallest_quota(mount, group, quota_in_v2));
    if (controllers.find(",cpu,") != std::string::npos)
      smallest = std::min(smallest, smallest_quota(mount / "cpu", group, quota_in_v1));
  }
  return std::max(1, smallest);
}

}  // namespace gpuvae::kernels
