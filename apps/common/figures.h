// Everything a run folder shows: pictures, figures, explorer.html and report.html.
#pragma once

#include "apps/common/eval.h"
#include "apps/common/explorer.h"
#include "apps/common/pictures.h"
#include "apps/common/report.h"

namespace gpuvae::apps {

// A picture of a run, as a file and in the report.
struct Figure {
  std::string file;  // ends in .svg or .png
  ReportPicture picture;
};

// Latent codes of the validation set as the run's `encode` says, [n, latent].
std::vector<float> shown_codes(const Session& session);

std::vector<Figure> manifold_figures(const Session& session, const std::vector<float>& codes);
std::vector<Figure> all_figures(const Session& session, const Evaluation& evaluation,
                                const std::vector<float>& codes);
ExplorerPage explorer_of(const Session& session, const std::vector<float>& codes);
ReportPage report_of(const Session& session, const Evaluation& evaluation, const std::vector<Figure>& figures,
                     const std::vector<float>& codes);

void write_figures(const std::filesystem::path& folder, const std::vector<Figure>& figures);

}  // namespace gpuvae::apps
