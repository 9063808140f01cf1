// The files that --data and --input name.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// The files that --data names, as a split.
Split load_other_data(const RunConfig& config);

// Throws Error where the likelihood has no place for these values.
void check_values(const RunConfig& config, const Dataset& images);

// What images of another file must be like: those of the run's training set.
struct Likeness {
  std::int64_t pixels = 0;
  bool bytes = false;
  Standardization standardization;
};
// The rows of another file, all of them (of a folder with two sets: the one named), in the units of the
// training set; a table may have the run's label column, or leave it out. Throws Error where they do not fit.
Dataset load_input(const RunConfig& config, const std::string& path, const std::string& set,
                   const Likeness& like);

}  // namespace gpuvae::apps
