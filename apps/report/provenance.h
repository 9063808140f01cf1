// What it takes to repeat the numbers of a report or of an evaluation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/run/session.h"

namespace gpuvae::apps {

// Names and values: version, commit, device with its threads, fingerprint of the training set, seed, command
// line.
using Provenance = std::vector<std::pair<std::string, std::string>>;
Provenance provenance_of(const Session& session, const std::string& command_line);

// The commit of the sources that this build compiled, with "-dirty" if files differed from it; "unknown" if
// the build did not see a Git repository. commit.cmake writes the definition at every build.
extern const char* const kCommit;

}  // namespace gpuvae::apps
