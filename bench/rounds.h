// Comparisons by rounds: in each round, every side is measured once. A ratio is formed within a round, so
// that the state of the machine affects both of its times.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/machine_state.h"
#include "bench/statistics.h"

namespace gpuvae::bench {

// Measures one side once and returns its seconds.
using Timer = std::function<double()>;

struct RoundOptions {
  int most = 201;  // largest number of rounds
  // Seconds after which no further round begins. The first three rounds are always measured. The first seven,
  // which an interval needs, may take four times as long.
  double budget = 0;
};

// The ratio (time of a reference) / (time of a side), and what it means for the side.
struct Comparison {
  double ratio = 0;  // median over the rounds
  std::optional<Interval> interval;
  Verdict verdict = Verdict::undecided;
  int rounds = 0, disturbed = 0;

  // "faster: 1.52 (1.43-1.60), 31 rounds, 2 disturbed"
  std::string text() const;
};

struct Rounds {
  std::vector<std::vector<double>> seconds;  // [side][round]
  std::vector<MachineState> machine;         // [round]

  int count() const { return static_cast<int>(machine.size()); }
  int disturbed() const;
  // Returns, for each round, the time of side `reference` divided by that of `side`.
  std::vector<double> ratios(std::size_t reference, std::size_t side) const;
  Comparison compare(std::size_t reference, std::size_t side) const;
  // Returns the state of the machine as one array per quantity, with an element per round. "disturbed" holds
  // the reasons; an empty string means that the round was not disturbed.
  nlohmann::json machine_json() const;
};

// Measures rounds until the intervals of all ratios to side 0 are narrow (see is_narrow), or the limits of
// `options` are reached. The order of the sides rotates from round to round. Whether the intervals are narrow
// is examined after 7, 10, 14, 19, ... rounds only, because frequent looks would stop at intervals that are
// narrow by chance. Disturbed rounds are marked and counted, and kept. With a single side, all `most` rounds
// are measured if the budget allows.
Rounds run_rounds(const std::vector<Timer>& sides, const RoundOptions& options);

}  // namespace gpuvae::bench
