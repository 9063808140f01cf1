#include "bench/rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gpuvae/error.h"

namespace gpuvae::bench {
namespace {

constexpr int kLeast = 3, kFirstLook = 7;

bool all_narrow(const Rounds& rounds) {
  if (rounds.seconds.size() < 2) return false;
  for (std::size_t side = 1; side < rounds.seconds.size(); ++side)
    if (!is_narrow(median_interval(rounds.ratios(0, side)))) return false;
  return true;
}

double measured(const Timer& timer) {
  const double seconds = timer();
  if (!(seconds > 0) || std::isinf(seconds))
    throw Error("run_rounds",
                fmt::format("expected a positive time, got {} s: the clock does not run", seconds));
  return seconds;
}

// Measures the sides in an order that rotates from round to round.
void measure_round(const std::vector<Timer>& sides, Rounds& rounds) {
  const std::size_t first = static_cast<std::size_t>(rounds.count()) % sides.size();
  for (std::size_t i = 0; i < sides.size(); ++i) {
    const std::size_t side = (first + i) % sides.size();
    rounds.seconds[side].push_back(measured(sides[side]));
  }
}

bool is_over(const RoundOptions& options, int rounds, double spent) {
  constexpr double kExtension = 4;
  return rounds >= kLeast && spent >= options.budget * (rounds < kFirstLook ? kExtension : 1);
}

}  // namespace

int Rounds::disturbed() const {
  return static_cast<int>(
      std::count_if(machine.begin(), machine.end(), [](const auto& m) { return !m.disturbance().empty(); }));
}

std::vector<double> Rounds::ratios(std::size_t reference, std::size_t side) const {
  std::vector<double> all;
  for (std::size_t r = 0; r < machine.size(); ++r) all.push_back(seconds[reference][r] / seconds[side][r]);
  return all;
}

Comparison Rounds::compare(std::size_t reference, std::size_t side) const {
  const std::vector<double> all = ratios(reference, side);
  Comparison c;
  c.ratio = statistics_of(all).median;
  c.interval = median_interval(all);
  c.verdict = verdict_of(c.interval);
  c.rounds = count();
  c.disturbed = disturbed();
  return c;
}

std::string Comparison::text() const {
  const std::string range =
      interval ? fmt::format(" ({}-{})", ratio_text(interval->low), ratio_text(interval->high)) : "";
  return fmt::format("{}: {}{}, {} rounds, {} disturbed", name(verdict), ratio_text(ratio), range, rounds,
                     disturbed);
}

nlohmann::json Rounds::machine_json() const {
  nlohmann::json columns{{"seconds", nlohmann::json::array()},   {"steal", nlohmann::json::array()},
                         {"others", nlohmann::json::array()},    {"switches", nlohmann::json::array()},
                         {"waiting", nlohmann::json::array()},   {"load", nlohmann::json::array()},
                         {"megahertz", nlohmann::json::array()}, {"disturbed", nlohmann::json::array()}};
  const auto known = [](double v) { return v < 0 ? nlohmann::json() : nlohmann::json(v); };
  for (const MachineState& m : machine) {
    columns["seconds"].push_back(m.seconds);
    columns["steal"].push_back(m.steal);
    columns["others"].push_back(m.others);
    columns["switches"].push_back(m.switches);
    columns["waiting"].push_back(m.waiting);
    columns["load"].push_back(known(m.load));
    columns["megahertz"].push_back(known(m.megahertz));
    columns["disturbed"].push_back(m.disturbance());
  }
  return columns;
}

Rounds run_rounds(const std::vector<Timer>& sides, const RoundOptions& options) {
  Rounds rounds;
  rounds.seconds.resize(sides.size());
  MachineSnapshot begin = take_snapshot();
  const double start = begin.wall;
  int next_look = kFirstLook;
  while (rounds.count() < options.most) {
    measure_round(sides, rounds);
    const MachineSnapshot end = take_snapshot();
    rounds.machine.push_back(between(begin, end));
    begin = end;
    if (is_over(options, rounds.count(), end.wall - start)) break;
    if (rounds.count() < next_look) continue;
    if (all_narrow(rounds)) break;
    next_look += 1 + next_look / 3;
  }
  return rounds;
}

}  // namespace gpuvae::bench
