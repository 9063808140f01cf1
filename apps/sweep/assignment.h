// Which rank trains which run of a sweep.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace gpuvae::apps {

// All ranks make the same calls, so that they hold the same assignment without asking each other.
class Assignment {
 public:
  struct Place {
    std::size_t run;
    int rank;
  };

  // `jobs` holds the number of runs that each rank trains at a time.
  Assignment(std::size_t runs, std::vector<int> jobs) : runs_(runs), free_(std::move(jobs)) {}

  // Gives waiting runs, in order, to the rank with the most free places, until no place is free. Returns the
  // new places.
  std::vector<Place> assign();
  // Frees the place of a run that has ended.
  void end(const Place& place);
  // The places of the runs that have not ended, in the order in which they were assigned.
  const std::vector<Place>& active() const { return active_; }
  bool has_waiting() const { return next_ < runs_; }

 private:
  std::size_t runs_, next_ = 0;
  std::vector<int> free_;  // places, by rank
  std::vector<Place> active_;
};

}  // namespace gpuvae::apps
