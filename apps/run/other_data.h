// The data of --data and --input.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// The training and validation rows of --data. `features` is the expected number of values per row, or 0 (see
// DatasetOptions). Throws Error.
Split load_other_data(const RunConfig& config, std::int64_t features = 0);

// Throws Error if the likelihood is not defined for these values.
void check_values(const RunConfig& config, const Dataset& images);

// The properties that images of --input share with the training set.
struct Likeness {
  std::int64_t pixels = 0;
  bool bytes = false;
  Standardization standardization;
};
// All rows of another file, or of the set `set` of a folder with two sets, scaled as the training set is. A
// table may have the run's label column or lack it. Throws Error if the rows do not match the training set.
Dataset load_input(const RunConfig& config, const std::string& path, const std::string& set,
                   const Likeness& like);

}  // namespace gpuvae::apps
