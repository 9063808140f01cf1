// The commands that encode and decode rows.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Writes the latent codes of images or rows.
void encode(const Session& s, const Command& command);
// Writes what the latent codes of --z or --input decode to.
void decode(const Session& s, const Command& command);
// Writes what the latent codes of images or rows decode to.
void reconstruct(const Session& s, const Command& command);
// Writes what draws from the prior decode to.
void sample(const Session& s, const Command& command);

}  // namespace gpuvae::apps
