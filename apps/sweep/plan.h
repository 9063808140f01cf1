// The runs of a sweep: every combination of the values of --grid, with every seed of --seeds.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/cli/settings.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// The values that one setting takes, as config.toml has them: {"beta", {"0.5", "1", "2"}}.
struct GridKey {
  std::string key;
  std::vector<std::string> values;
};
// Reads terms such as "beta=0.5,1,2" or "hidden=256;512,256", where semicolons separate values that contain
// commas. A key is the name of a setting: a flag without its dashes. Throws Error for an unknown key, a value
// that the setting does not accept, a key or value that is there twice, and an empty list.
std::vector<GridKey> parse_grid(const std::vector<std::string>& terms);

// Reads seeds such as "0..19" or "0..4,7,9". Throws Error for other texts, and for a seed that is there
// twice.
std::vector<std::uint64_t> parse_seeds(const std::string& text);

// Keys with a value each: {{"beta", "0.5"}, {"latent", "2"}}.
using GridPoint = std::vector<std::pair<std::string, std::string>>;
// Returns all combinations, one without keys if the grid is empty. The last key changes fastest.
std::vector<GridPoint> grid_points(const std::vector<GridKey>& grid);

// Returns the name of a run's folder, "beta=0.5,latent=2,seed=3". Characters of values that file names should
// not have are written as in URLs: "data=a%2Fb.csv,seed=0".
std::string run_name(const GridPoint& point, std::uint64_t seed);
// Returns the keys of such a name without "seed"; nothing for a name that run_name cannot have made.
std::vector<std::string> keys_of_name(const std::string& name);

// A run of a sweep.
struct PlannedRun {
  std::string name;  // of its folder in the sweep's folder
  Texts texts;       // all its flags
  RunConfig config;  // the configuration that these flags give
  std::uint64_t seed() const { return config.seed; }
};

// What the command line says about a sweep.
struct SweepPlan {
  std::filesystem::path folder;
  std::vector<GridKey> grid;
  std::vector<std::uint64_t> seeds;
  // All settings with the first seed, then all with the second one, and so on, so that a sweep that is
  // stopped early has results for every setting.
  std::vector<PlannedRun> runs;
  int threads = 1;  // of each run
};
// Throws Error for a mistake in --grid, --seeds or the folder.
SweepPlan plan_sweep(const Program& program, const CommandLine& line);

}  // namespace gpuvae::apps
