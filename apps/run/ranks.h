// The processes of a distributed run (mpirun). Rank 0 owns the run folder and the terminal; the others, the
// followers, only compute.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gpuvae/distributed.h"

namespace gpuvae::apps {

// Connects this process with the others if mpirun started several, until the object is destroyed. At most one
// object may exist at a time.
class Ranks {
 public:
  Ranks();
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  // Ends all ranks unless the status says that all of them end in the same way: 0, or that of a signal.
  void end(int exit_status);
};

// Discards what this process writes to standard error, until the object is destroyed.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int error_output_;
};

// The communicator, or null for a run in one process.
std::shared_ptr<Communicator> communicator();
bool is_follower();
// Returns the device that the text means (Device::parse). With several ranks on a machine, "auto" and "cuda"
// without a number mean a GPU of each rank's own as long as there are enough.
Device device_of_rank(const std::string& text);
// @{
// All ranks must call these functions at the same point. Without a communicator they return their argument.
// Returns rank 0's value on every rank.
int of_rank_0(int value);
// Returns the largest value of all ranks, which must not be negative.
int largest_of_ranks(int value);
// Returns the sums over the ranks, all of which must pass equally many values.
std::vector<double> sums_of_ranks(const std::vector<double>& values);
// Returns the value of each rank, in the order of the ranks.
std::vector<double> values_of_ranks(double value);
// Throws Error on rank 0 if a rank has another text than rank 0 for one of the names, and names it. The other
// ranks then wait until rank 0 ends them. All ranks must pass the same names.
void check_same_on_ranks(const std::string& operation,
                         const std::vector<std::pair<std::string, std::string>>& texts);
// Returns the text of the one rank that passes a text which is not empty, or its first 1,000 bytes.
std::string text_of_ranks(const std::string& text);
// Returns a communicator for training on a device, which sums with NCCL if each rank has its own GPU.
// Otherwise it prints a note that says why sums of GPUs go through host memory.
std::shared_ptr<Communicator> communicator_on(Device device);
// Returns the number of ranks, with this one, on the same machine and with the same processors to run on.
int ranks_on_these_processors();
// @}

}  // namespace gpuvae::apps
