#include "apps/run/ranks.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <functional>

namespace gpuvae::apps {
namespace {

std::shared_ptr<Communicator>& current() {
  static std::shared_ptr<Communicator> of_process;
  return of_process;
}

}  // namespace

Ranks::Ranks() {
  std::shared_ptr<Communicator> all = mpi_communicator();
  if (all && all->size() > 1) current() = std::move(all);
}
Ranks::~Ranks() { current().reset(); }

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

int ranks_on_these_processors() {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, sizeof host - 1);
  cpu_set_t processors;
  CPU_ZERO(&processors);
  sched_getaffinity(0, sizeof processors, &processors);
  std::string place = host;
  for (int i = 0; i < CPU_SETSIZE; ++i) place += CPU_ISSET(i, &processors) ? '1' : '0';
  // A double holds 53 bits exactly.
  const auto key = static_cast<double>(std::hash<std::string>()(place) >> 11);
  const std::vector<double> all = values_of_ranks(key);
  return static_cast<int>(std::count(all.begin(), all.end(), key));
}

}  // namespace gpuvae::apps
