// The commands that describe a trained model as text, figures and web pages.
#pragma once

#include "apps/cli/command_line.h"
#include "apps/run/session.h"

namespace gpuvae::apps {

// Writes the report, the explorer and the pictures of a run. This ends the command train.
void draw_run(const Session& s, const Command& command);
// Prints the losses of a set and writes them as JSON and as a web page.
void eval(const Session& s, const Command& command);
// Writes grids of decoded latent codes.
void manifold(const Session& s, const Command& command);
// Writes the explorer, a web page that decodes latent codes.
void explore(const Session& s, const Command& command);

}  // namespace gpuvae::apps
