#include "apps/run/ranks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

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

int of_rank_0(int value) {
  if (!current()) return value;
  const Tensor shared = Tensor::from(std::vector<double>{is_follower() ? 0.0 : value}, {1});
  current()->sum(shared);
  return static_cast<int>(shared.item());
}

int largest_of_ranks(int value) {
  if (!current()) return value;
  std::vector<double> values(static_cast<std::size_t>(current()->size()));
  values[static_cast<std::size_t>(current()->rank())] = value;
  const Tensor shared = Tensor::from(values, {current()->size()});
  current()->sum(shared);
  const std::vector<double> all = shared.to_doubles();
  return static_cast<int>(*std::max_element(all.begin(), all.end()));
}

}  // namespace gpuvae::apps
