// The data of --data and --input.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// The training and validation rows of --data. Throws Error.
Split load_other_data(const RunConfig& config);
// Throws Error if a flag is given that only --data uses.
void refuse_data_flags(const RunConfig& config);
// Prints what the values are and how the data were read.
void say_data(const Split& split);

// Throws Error if the likelihood is not defined for these values.
void check_values(const RunConfig& config, const Dataset& images);

// All rows of another file, or of the set `set` ("train" or "validation") of a folder with two sets, which
// match the training data that `like` describes and are converted as those were. Prints how they were read.
// Throws Error if they do not match (see load_like).
Dataset load_input(const RunConfig& config, const std::string& path, const std::string& set,
                   const DataDescription& like);

}  // namespace gpuvae::apps
