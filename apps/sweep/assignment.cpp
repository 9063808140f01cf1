#include "apps/sweep/assignment.h"

#include <algorithm>

namespace gpuvae::apps {

std::vector<Assignment::Place> Assignment::assign() {
  std::vector<Place> places;
  while (has_waiting()) {
    const auto most = std::max_element(free_.begin(), free_.end());
    if (*most <= 0) break;
    --*most;
    places.push_back({next_++, static_cast<int>(most - free_.begin())});
  }
  active_.insert(active_.end(), places.begin(), places.end());
  return places;
}

void Assignment::end(const Place& place) {
  ++free_[static_cast<std::size_t>(place.rank)];
  std::erase_if(active_, [&](const Place& p) { return p.run == place.run; });
}

}  // namespace gpuvae::apps
