#include "apps/run/ranks.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <functional>

#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

std::shared_ptr<Communicator>& current() {
  static std::shared_ptr<Communicator> of_process;
  return of_process;
}

// The number of this rank among those of its machine.
int rank_on_machine = 0;

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// A number for a text, of which a double holds all bits.
double key_of(const std::string& text) { return static_cast<double>(std::hash<std::string>()(text) >> 11); }

}  // namespace

Ranks::Ranks() {
  std::shared_ptr<Communicator> all = mpi_communicator();
  if (!all || all->size() == 1) return;
  current() = std::move(all);
  const double machine = key_of(host_name());
  const std::vector<double> machines = values_of_ranks(machine);
  rank_on_machine =
      static_cast<int>(std::count(machines.begin(), machines.begin() + current()->rank(), machine));
}
Ranks::~Ranks() {
  current().reset();
  rank_on_machine = 0;
}

void Ranks::end(int exit_status) {
  if (current() && exit_status > 0 && exit_status < 128) current()->abort(exit_status);
}

Silence::Silence() : error_output_(dup(STDERR_FILENO)) {
  const int nothing = open("/dev/null", O_WRONLY);
  if (nothing < 0) return;
  dup2(nothing, STDERR_FILENO);
  close(nothing);
}
Silence::~Silence() {
  if (error_output_ < 0) return;
  dup2(error_output_, STDERR_FILENO);
  close(error_output_);
}

std::shared_ptr<Communicator> communicator() { return current(); }
bool is_follower() { return current() && current()->rank() > 0; }

Device device_of_rank(const std::string& text) {
  const int gpus = text == "auto" || text == "cuda" ? Device::cuda_count() : 0;
  return rank_on_machine > 0 && gpus > 1 ? Device::cuda(rank_on_machine % gpus) : Device::parse(text);
}

int of_rank_0(int value) { return static_cast<int>(sums_of_ranks({is_follower() ? 0.0 : value})[0]); }

int largest_of_ranks(int value) {
  const std::vector<double> all = values_of_ranks(value);
  return static_cast<int>(*std::max_element(all.begin(), all.end()));
}

std::vector<double> sums_of_ranks(const std::vector<double>& values) {
  if (!current() || values.empty()) return values;
  const Tensor shared = Tensor::from(values, {static_cast<std::int64_t>(values.size())});
  current()->sum(shared);
  return shared.to_doubles();
}

std::vector<double> values_of_ranks(double value) {
  if (!current()) return {value};
  std::vector<double> values(static_cast<std::size_t>(current()->size()));
  values[static_cast<std::size_t>(current()->rank())] = value;
  return sums_of_ranks(values);
}

void check_same_on_ranks(const std::string& operation,
                         const std::vector<std::pair<std::string, std::string>>& texts) {
  if (!current()) return;
  const std::size_t count = texts.size(), own = static_cast<std::size_t>(current()->rank()) * count;
  std::vector<double> keys(static_cast<std::size_t>(current()->size()) * count);
  for (std::size_t i = 0; i < count; ++i) keys[own + i] = key_of(texts[i].second);
  keys = sums_of_ranks(keys);
  for (std::size_t at = count; at < keys.size(); ++at) {
    if (keys[at] == keys[at % count]) continue;
    if (is_follower()) of_rank_0(0);
    fail(operation, "expected the same {} on all ranks, got another on rank {}", texts[at % count].first,
         at / count);
  }
}

std::string text_of_ranks(const std::string& text) {
  constexpr std::size_t kMaxBytes = 1000;
  if (!current()) return text.substr(0, kMaxBytes);
  std::vector<double> bytes(kMaxBytes);
  for (std::size_t i = 0; i < std::min(text.size(), kMaxBytes); ++i)
    bytes[i] = static_cast<unsigned char>(text[i]);
  std::string shared;
  for (const double byte : sums_of_ranks(bytes))
    if (byte > 0) shared += static_cast<char>(static_cast<unsigned char>(byte));
  return shared;
}

std::shared_ptr<Communicator> communicator_on(Device device) {
  if (!current()) return nullptr;
  const std::vector<double> cpus = values_of_ranks(device.is_cpu() ? 1 : 0);
  if (std::ranges::find(cpus, 1.0) != cpus.end()) return current();
  try {
    return nccl_communicator(current(), device);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    std::fprintf(stderr, "note    sums over the ranks go through host memory: %s\n", error.what());
    return current();
  }
}

int ranks_on_these_processors() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  sched_getaffinity(0, sizeof processors, &processors);
  std::string place = host_name();
  for (int i = 0; i < CPU_SETSIZE; ++i) place += CPU_ISSET(i, &processors) ? '1' : '0';
  const std::vector<double> all = values_of_ranks(key_of(place));
  return static_cast<int>(std::ranges::count(all, key_of(place)));
}

}  // namespace gpuvae::apps
