// Everything a run folder shows: pictures, figures, explorer.html and report.html.
#pragma once

#include "apps/report/eval.h"
#include "apps/report/explorer.h"
#include "apps/report/pictures.h"
#include "apps/report/report.h"

namespace gpuvae::apps {

// A picture of a run, as a file and in the report.
struct Figure {
  std::string file;  // ends in .svg or .png
  ReportPicture picture;
};

// Whether images are the frames of a film, one after the other: training before validation.
bool is_film(const Session& session);

// Latent codes as the run's `encode` says, [n, latent]: of the validation set, and of all frames of a film.
std::vector<float> shown_codes(const Session& session);

// What the codes above are coloured by: a class each, a quantity each, or nothing.
struct CodeColours {
  std::vector<int> labels = {};
  std::vector<float> values = {};
  std::string name = {};  // "digit", "frame"
};
CodeColours code_colours(const Session& session);

// Of the latent dimensions: those given, then z3, z4, ...
std::vector<std::string> latent_names(const Session& session);
// "negative ELBO", where the loss is one; its unit, in which no mean over pixels passes for a sum.
std::string loss_name(const RunConfig& config);
std::string loss_unit(const Session& session);
// Numbers as figures have them: "−1,234.50", "404,244".
std::string figure_text(double number, int decimals);
std::string count_text(std::int64_t number);

std::vector<Figure> manifold_figures(const Session& session, const std::vector<float>& codes);
// Images in rows: posterior and prior, reconstructions, samples, examples.
std::vector<Figure> sheet_figures(const Session& session);
std::vector<Figure> all_figures(const Session& session, const Evaluation& evaluation,
                                const std::vector<float>& codes);
ExplorerPage explorer_of(const Session& session, const std::vector<float>& codes);
ReportPage report_of(const Session& session, const Evaluation& evaluation, const std::vector<Figure>& figures,
                     const std::vector<float>& codes);

void write_figures(const std::filesystem::path& folder, const std::vector<Figure>& figures);

}  // namespace gpuvae::apps
