// Builds the report page of a run from its session and its evaluation.
#include <fmt/format.h>

#include <cmath>

#include "apps/cli/settings.h"
#include "apps/report/figures.h"
#include "apps/run/progress.h"
#include "src/data/counted.h"

namespace gpuvae::apps {
namespace {

// Returns the settings of a run by group, without settings whose value is empty.
std::vector<std::pair<std::string, std::vector<ReportRow>>> setting_rows(const RunConfig& config) {
  std::vector<std::pair<std::string, std::vector<ReportRow>>> groups;
  for (const ValueGroup& group : values_of(config)) {
    groups.push_back({group.name, {}});
    for (const NamedValue& v : group.values)
      if (const std::string text = text_of(v.value); !text.empty())
        groups.back().second.push_back({v.flag.substr(2), text});
  }
  return groups;
}

std::vector<ReportNumber> loss_numbers(const Session& s) {
  if (s.history().epochs.empty()) return {};
  const EpochResult& last = s.history().epochs.back();
  const std::string unit = loss_unit(s);
  const int decimals = s.config().training.pixel_mean ? 4 : 2;  // per-pixel losses are small
  std::vector<ReportNumber> numbers = {{"Training loss", figure_text(last.train.loss, decimals), unit,
                                        fmt::format("epoch {}, {}", last.epoch, loss_name(s.config()))}};
  if (s.validation().count() > 0)
    numbers.push_back(
        {"Validation loss", figure_text(last.validation.loss, decimals), unit,
         fmt::format("reconstruction {} + KL {}", figure_text(last.validation.reconstruction, decimals),
                     figure_text(last.validation.kl, decimals))});
  if (s.best_epoch() > 0)
    numbers.push_back({"Best epoch", count_text(s.best_epoch()), "",
                       fmt::format("of {}; the model has its weights", count_text(last.epoch))});
  double seconds = 0;
  for (const EpochResult& r : s.history().epochs) seconds += r.train_seconds;
  numbers.push_back(
      {"Training time", elapsed_text(seconds), "",
       fmt::format("{} on {}", counted(last.epoch, "epoch"), s.model().device().description())});
  return numbers;
}

}  // namespace

ReportPage report_of(const Session& s, const Evaluation& e, const std::vector<Figure>& figures,
                     const std::vector<float>& codes, const Provenance& provenance) {
  ReportPage page;
  page.title = fmt::format("{}, preset {}", s.program().name, s.config().preset);
  page.subtitle =
      fmt::format("{}: {} training and {} validation {}", s.source(), count_text(s.train().count()),
                  count_text(s.validation().count()), s.has_pictures() ? "images" : "rows");
  if (const std::string warning = collapse_warning(e.latent); !warning.empty())
    page.warnings.push_back(warning);
  if (const std::string note = noise_note(s); !note.empty())
    page.warnings.push_back("Not an ELBO: " + note + ".");
  if (s.config().training.pixel_mean)
    page.warnings.push_back("The reconstruction term is a mean over the pixels, so the loss is not an ELBO.");
  page.numbers = loss_numbers(s);
  page.numbers.push_back({"Active units",
                          fmt::format("{} of {}", e.latent.active_units, s.config().model.latent), "",
                          "latent dimensions whose posterior mean has a variance above 0.01"});
  if (!std::isnan(e.latent.mutual_information))
    page.numbers.push_back({"Mutual information", figure_text(e.latent.mutual_information, 2), "nats",
                            fmt::format("between x and z under {}", posterior_name(s))});
  if (!std::isnan(e.bits_per_dimension))
    page.numbers.push_back({"Bits per dimension", figure_text(e.bits_per_dimension, 3), "bits",
                            e.importance ? "importance-weighted" : "from the ELBO"});
  page.numbers.push_back(
      {"Parameters", count_text(s.model().parameter_count()), "", "all learned numbers of the model"});
  for (const Figure& f : figures)
    if (!f.picture.title.empty()) page.pictures.push_back(f.picture);
  page.configuration = setting_rows(s.config());
  std::vector<ReportRow> rows;
  for (const auto& [name, value] : provenance) rows.push_back({name, value});
  page.configuration.insert(page.configuration.begin(), {"How this page was made", std::move(rows)});
  page.explorer = explorer_of(s, codes);
  return page;
}

}  // namespace gpuvae::apps
