#include "apps/report/eval_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "apps/report/figures.h"
#include "apps/report/published.h"
#include "src/data/counted.h"

namespace gpuvae::apps {
namespace {

std::string bound_name(const Session& s) { return fmt::format("−log {}, at most", density_name(s)); }

std::string with_interval(const MeanOverRows& m, int decimals) {
  const std::string mean = figure_text(m.mean, decimals);
  return std::isfinite(m.standard_error)
             ? fmt::format("{} ± {}", mean, figure_text(kNormalInterval * m.standard_error, decimals))
             : mean;
}

MeanOverRows scaled(MeanOverRows m, double factor) {
  return {m.mean * factor, m.standard_error * std::abs(factor)};
}

std::string things(const Session& s, std::int64_t n) {
  return counted(n, s.has_pictures() ? "image" : "row");
}

std::string estimator(const Session& s, const Evaluation& e) {
  if (e.samples == 0) return "negative ELBO, with one draw of z per example";
  return fmt::format(
      "importance-weighted bound on −log {0}: −log of the mean of {1} weights {2} p(z) / {3}, z drawn from "
      "{3} (Burda et al., 2016). Its expectation is above −log {0} and falls towards it as the number of "
      "samples grows",
      density_name(s), count_text(e.samples), decoder_name(s), posterior_name(s));
}

std::string binarisation(const Session& s) {
  switch (s.config().training.data.binarize) {
    case Binarize::dynamic:
      return fmt::format(
          "pixels drawn with their value as probability: anew in every epoch of training, once "
          "for the evaluation (seed {})",
          s.config().seed);
    case Binarize::fixed:
      return fmt::format("pixels drawn once with their value as probability (seed {})", s.config().seed);
    case Binarize::threshold:
      return fmt::format("1 above {}, else 0", s.config().training.data.threshold);
    case Binarize::none:
      break;
  }
  return "none: the values themselves";
}

std::string set_name(const Evaluation& e) { return e.set == "train" ? "training" : e.set; }

std::string split_text(const Session& s, const Evaluation& e) {
  return fmt::format("{} of the {} set; the model was trained on {} and validated on {} of {}",
                     things(s, e.images), set_name(e), things(s, s.train().count()),
                     count_text(s.validation().count()), s.source());
}

std::string weights_text(const Session& s) {
  const RunConfig& c = s.config();
  std::string text = s.best_epoch() > 0
                         ? fmt::format("those of epoch {}, the best one of the run (--patience {})",
                                       s.best_epoch(), c.training.patience)
                         : fmt::format("those after {}", counted(c.epochs, "epoch"));
  if (c.training.average.decay > 0)
    text += fmt::format("; moving average with decay {}", c.training.average.decay);
  return text;
}

std::string unit_text(const Session& s) {
  const std::string unit = s.has_pictures() ? "nats per image" : "nats per row";
  if (mixes_densities(s))
    return fmt::format("{}, of densities in units of {} and of probabilities, depending on the column", unit,
                       density_unit(s));
  return s.model().likelihood().is_density()
             ? fmt::format("{}, of a density in units of {}", unit, density_unit(s))
             : fmt::format("{}, of a probability", unit);
}

std::string bits_text(const Session& s, const Evaluation& e) {
  if (!s.model().options().missing_values)
    return fmt::format("nats / ({} log 2)", s.model().options().features);
  return fmt::format(
      "nats / ({} log 2): {} features, of whose values {} % are not missing. The losses are those of the "
      "observed values",
      figure_text(observed_features(s, e), 2), s.model().options().features,
      figure_text(100 * e.observed, 2));
}

ReportTable protocol_table(const Session& s, const Evaluation& e) {
  ReportTable table;
  table.title = "Protocol";
  table.columns = {"Aspect", "This evaluation"};
  const auto row = [&](const std::string& name, const std::string& text) {
    table.rows.push_back({{name}, {text}});
  };
  if (const std::string note = condition_note(s); !note.empty()) row("Condition", note);
  row("Estimator", estimator(s, e));
  row("Interval",
      fmt::format(
          "95 %: 1.96 standard errors of the mean over {}, of this one model. It leaves out the spread "
          "over training seeds, which the command sweep --seeds measures",
          things(s, e.images)));
  row("Seeds",
      fmt::format("{0} of the initial weights, the order of the data and the noise of training; {0} of "
                  "the noise of this evaluation",
                  s.config().seed));
  row("Split", split_text(s, e));
  row("Binarisation", binarisation(s));
  row("Unit", unit_text(s));
  if (!std::isnan(e.bits_per_dimension)) row("Bits per dimension", bits_text(s, e));
  row("Weights", weights_text(s));
  return table;
}

ReportTable result_table(const Session& s, const Evaluation& e) {
  ReportTable table;
  table.title = "Results";
  table.note = fmt::format("Means over {} with 95 % intervals, in nats unless another unit is given.",
                           things(s, e.images));
  table.columns = {"Measure", "Mean ± interval", "Definition"};
  const auto row = [&](const std::string& name, const MeanOverRows& m, const std::string& text,
                       int decimals) {
    table.rows.push_back({{name}, {with_interval(m, decimals)}, {text}});
  };
  const RowScores& r = e.rows;
  const double bits = 1 / (std::log(2.0) * observed_features(s, e));
  const MeanOverRows elbo = mean_over_rows(r.elbo);
  const bool has_bits = !std::isnan(e.bits_per_dimension);
  if (e.importance) {
    const MeanOverRows bound = scaled(mean_over_rows(r.log_likelihood), -1);
    row(bound_name(s), bound, fmt::format("K = {} importance samples", count_text(e.samples)), 2);
    if (has_bits) row("Bits per dimension", scaled(bound, bits), "of the line above", 4);
    row("Effective samples", mean_over_rows(r.effective_samples), "(Σ w)² / Σ w² of the weights", 1);
  } else if (has_bits) {
    row("Bits per dimension", scaled(elbo, -bits), "of the negative ELBO", 4);
  }
  row("−ELBO", scaled(elbo, -1), "reconstruction + KL, one draw of z", 2);
  row("Reconstruction", mean_over_rows(r.reconstruction), fmt::format("−log {}", decoder_name(s)), 2);
  row("KL", mean_over_rows(r.kl), fmt::format("KL({} ‖ p(z))", posterior_name(s)), 2);
  const LatentStatistics& l = e.latent;
  table.rows.push_back({{"Active units"},
                        {fmt::format("{} of {}", l.active_units, l.mean_variance.size())},
                        {"variance of the posterior mean above 0.01"}});
  table.rows.push_back(
      {{"Mutual information"},
       {figure_text(l.mutual_information, 2)},
       {fmt::format("of x and z under {}, at most the log of the number of examples", posterior_name(s))}});
  return table;
}

std::optional<ReportTable> published_table(const Session& s, const Evaluation& e) {
  const std::vector<PublishedValue> values = published_values(s, e);
  if (values.empty()) return std::nullopt;
  const MeanOverRows ours = e.importance ? scaled(mean_over_rows(e.rows.log_likelihood), -1)
                                         : scaled(mean_over_rows(e.rows.elbo), -1);
  ReportTable table;
  table.title = "Published values of this model";
  table.columns = {"Model", "Published −log p(x)", "This run", "Protocol", "Source"};
  for (const PublishedValue& v : values)
    table.rows.push_back(
        {{v.model},
         {figure_text(v.nll, 2)},
         {with_interval(ours, 2)},
         {v.differences.empty() ? "the same" : fmt::format("differs: {}", fmt::join(v.differences, "; "))},
         {v.source}});
  return table;
}

}  // namespace

std::string evaluation_html(const Session& s, const Evaluation& e, const Provenance& provenance) {
  ReportPage page;
  page.title = fmt::format("Evaluation of {}, preset {}", s.program().name, s.config().preset);
  page.subtitle = fmt::format("{}: {} of the {} set", s.source(), things(s, e.images), set_name(e));
  if (const std::string warning = collapse_warning(e.latent); !warning.empty())
    page.warnings.push_back(warning);
  if (const std::string note = condition_note(s); !note.empty())
    page.warnings.push_back(fmt::format("A conditional model, {}.", note));
  if (const std::string note = noise_note(s); !note.empty())
    page.warnings.push_back("Not an ELBO: " + note + ".");
  const std::string unit = s.has_pictures() ? "nats/image" : "nats/row";
  const std::string interval = "mean ± 95 % interval";
  if (e.importance)
    page.numbers.push_back({bound_name(s),
                            with_interval(scaled(mean_over_rows(e.rows.log_likelihood), -1), 2), unit,
                            fmt::format("{}; {} importance samples", interval, count_text(e.samples))});
  page.numbers.push_back(
      {"−ELBO", with_interval(scaled(mean_over_rows(e.rows.elbo), -1), 2), unit, interval});
  if (!std::isnan(e.bits_per_dimension))
    page.numbers.push_back({"Bits per dimension", figure_text(e.bits_per_dimension, 4), "bits",
                            e.importance ? "importance-weighted" : "from the ELBO"});
  page.tables = {result_table(s, e), protocol_table(s, e)};
  if (std::optional<ReportTable> published = published_table(s, e))
    page.tables.push_back(*std::move(published));
  std::vector<ReportRow> rows;
  for (const auto& [name, value] : provenance) rows.push_back({name, value});
  page.configuration = {{"How this page was made", std::move(rows)}};
  return report_html(page);
}

}  // namespace gpuvae::apps
