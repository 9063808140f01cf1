// The pictures and pages of a run folder: figures, explorer.html and report.html.
#pragma once

#include "apps/report/condition.h"
#include "apps/report/eval.h"
#include "apps/report/explorer.h"
#include "apps/report/pictures.h"
#include "apps/report/report.h"

namespace gpuvae::apps {

// A picture of a run, which is a file and, if it has a title, a part of the report.
struct Figure {
  std::string file;  // ends in .svg or .png
  ReportPicture picture;
};

// Whether the images are the frames of a film, in order: first those of training, then those of validation.
bool is_film(const Session& session);

// Latent codes [n, latent] (--encode) of the validation set, or of all frames of a film; none without data.
std::vector<float> shown_codes(const Session& session);

// The colours of the codes above: a class per code, a quantity per code, or neither.
struct CodeColours {
  std::vector<int> labels = {};
  std::vector<float> values = {};
  std::string name = {};  // "digit", "frame"
};
CodeColours code_colours(const Session& session);

// Names of the latent dimensions: those of --latent-names, then z3, z4, ...
std::vector<std::string> latent_names(const Session& session);
// Name and unit of the loss: "negative ELBO" if it is one. The unit says whether pixels are summed or
// averaged.
std::string loss_name(const RunConfig& config);
std::string loss_unit(const Session& session);
// Numbers as they are printed in figures: "−1,234.50", "404,244".
std::string figure_text(double number, int decimals);
std::string count_text(std::int64_t number);

// The grids of --manifold, for each of the classes of a conditional model.
std::vector<Figure> manifold_figures(const Session& session, const std::vector<float>& codes,
                                     const std::vector<int>& classes = {0}, const GivenCondition& given = {});
// Rows of images: posterior, prior, reconstructions, samples, examples.
std::vector<Figure> sheet_figures(const Session& session);
std::vector<Figure> all_figures(const Session& session, const Evaluation& evaluation,
                                const std::vector<float>& codes);
ExplorerPage explorer_of(const Session& session, const std::vector<float>& codes);
ReportPage report_of(const Session& session, const Evaluation& evaluation, const std::vector<Figure>& figures,
                     const std::vector<float>& codes, const Provenance& provenance);

void write_figures(const std::filesystem::path& folder, const std::vector<Figure>& figures);

}  // namespace gpuvae::apps
