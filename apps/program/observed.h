// The values that the data have, for --impute.
#pragma once

#include <string>
#include <vector>

#include "apps/run/session.h"

namespace gpuvae::apps {

// Returns the features of examples of the session, or of the file `input` if it is not empty, as they were
// read: f64 [examples, features] in the units of the file, with NaN for missing values. The model's values
// are f32, and may be standardised. Returns nothing if the file no longer has the same values.
std::vector<double> observed_values(const Session& session, const std::string& input,
                                    const Dataset& examples);

}  // namespace gpuvae::apps
