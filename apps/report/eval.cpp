#include "apps/report/eval.h"

#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/run/progress.h"
#include "src/data/counted.h"
#include "src/data/parts.h"
#include "src/vae/column_types.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {
namespace {

// Prints how long the estimate will take, since 10,000 images x 5,000 samples take long.
void say_duration(const Session& s, const Dataset& images, std::int64_t samples) {
  const EvaluationOptions options = s.evaluation();
  const std::int64_t few = std::min<std::int64_t>(images.count(), std::max<std::int64_t>(1, 4000 / samples));
  double seconds = 0;
  for (int i = 0; i < 2; ++i)  // the first one warms up
    seconds = importance_weighted_nll(s.model(), images.slice(0, few), samples, options).seconds;
  std::fprintf(
      stderr, "nll     %lld %s x %lld samples: about %s\n", static_cast<long long>(images.count()),
      s.has_pictures() ? "images" : "rows", static_cast<long long>(samples),
      time_left_text(seconds / static_cast<double>(few) * static_cast<double>(images.count())).c_str());
}

// Estimates -log p(x), and keeps the estimate of each image if that is asked for.
void estimate_nll(const Session& s, const Dataset& images, bool row_scores, Evaluation& e) {
  if (e.samples > 0) say_duration(s, images, e.samples);
  if (!row_scores) {
    if (e.samples > 0) e.importance = importance_weighted_nll(s.model(), images, e.samples, s.evaluation());
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  e.rows = score_rows(s.model(), images, e.samples, s.evaluation());
  if (e.samples == 0) return;
  const MeanOverRows bound = mean_over_rows(e.rows.log_likelihood);
  e.importance =
      ImportanceEstimate{-bound.mean, bound.standard_error, mean_over_rows(e.rows.effective_samples).mean,
                         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

// Half the width of the interval of a mean, with the confidence level; empty for one example.
std::string interval_text(double standard_error) {
  return std::isfinite(standard_error)
             ? fmt::format("\u00B1 {:.3f} (95 % interval) ", kNormalInterval * standard_error)
             : "";
}

// The values of one row, or of equal ones, do not vary, whether the posterior collapsed or not.
bool is_collapsed(const LatentStatistics& l) { return l.collapsed() && l.data_stddev != 0; }

// The share of the features that are not missing. The condition, in the last columns, does not count.
double observed_share(const Session& s, const Dataset& images) {
  if (!s.model().options().missing_values || images.dtype() == DType::u8) return 1;
  const std::int64_t features = s.model().options().features;
  double observed = 0;
  data::for_parts(images, [&](const Tensor& part, std::int64_t) {
    const std::int64_t rows = part.shape()[0], columns = part.shape()[1];
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t c = 0; c < features; ++c)
        observed += !std::isnan(part.data_as<float>()[row * columns + c]);
  });
  return observed / static_cast<double>(images.count() * features);
}

}  // namespace

double observed_features(const Session& s, const Evaluation& e) {
  return static_cast<double>(s.model().options().features) * e.observed;
}

std::string density_name(const Session& s) {
  return s.model().options().conditions > 0 ? "p(x | y)" : "p(x)";
}

std::string condition_note(const Session& s) {
  if (s.model().options().conditions == 0) return "";
  return fmt::format("y = {}: the ELBO bounds log p(x | y), which is not comparable with log p(x)",
                     s.config().data.condition);
}

std::string noise_note(const Session& s) {
  const double noise_std = s.config().distributions.posterior.noise_std;
  if (noise_std == 1) return "";
  return fmt::format(
      "reconstruction + KL is no bound on log p(x), and may be below the bound on -log p(x), because z is "
      "drawn "
      "with {} times the posterior's standard deviation (--noise-std)",
      noise_std);
}

bool mixes_densities(const Session& s) {
  const DistributionSettings& d = s.config().distributions;
  if (d.likelihood != "columns") return false;
  bool densities = false, probabilities = false;
  for (const ColumnType& t : parse_column_types(d.column_types, "eval")) {
    if (t.type == "library") continue;
    const bool is_density = t.type != "categorical" && named_likelihood(t.type).make(d)->is_density();
    (is_density ? densities : probabilities) = true;
  }
  return densities && probabilities;
}

std::string density_unit(const Session& s) {
  const ValueRange& v = s.description().values;
  if (!s.standardization().empty()) return "the standardised data";
  if (v.scaled) return fmt::format("the data scaled from [{:.7g}, {:.7g}] to [0, 1]", v.low, v.high);
  return v.kind == ValueKind::bytes ? "the data divided by 255" : "the data";
}

// The same sums as importance_weighted_nll has.
MeanOverRows mean_over_rows(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  MeanOverRows result;
  for (const double v : values) result.mean += v / n;
  double squares = 0;
  for (const double v : values) squares += std::pow(v - result.mean, 2);
  result.standard_error = n > 1 ? std::sqrt(squares / (n - 1) / n) : NAN;
  return result;
}

Evaluation evaluate(const Session& s, const std::string& set, std::int64_t count,
                    std::int64_t importance_samples, bool row_scores) {
  Evaluation e;
  e.set = s.validation().count() > 0 || set == "test" ? set : "train";
  const Dataset images = s.images(set, count);
  e.images = images.count();
  e.samples = importance_samples;
  e.elbo = evaluate_elbo(s.model(), images, s.evaluation());
  e.latent = latent_statistics(s.model(), images, s.evaluation());
  estimate_nll(s, images, row_scores, e);
  const double nll = e.importance ? e.importance->nll : e.elbo.loss;
  e.observed = observed_share(s, images);
  e.bits_per_dimension = nll / (std::log(2.0) * observed_features(s, e));
  if (mixes_densities(s)) e.bits_per_dimension = NAN;
  return e;
}

std::string collapse_warning(const LatentStatistics& l) {
  if (!is_collapsed(l)) return "";
  return fmt::format(
      "posterior collapse: the decoder ignores z (standard deviation of a value over the set: {:.2g} "
      "decoded, "
      "{:.2g} in the data); try --warmup-epochs, --free-bits, a smaller --beta or --pixel-mean=false",
      l.decoded_stddev, l.data_stddev);
}

std::string evaluation_text(const Session& s, const Evaluation& e) {
  const LatentStatistics& l = e.latent;
  const std::string unit = s.has_pictures() ? "nats/image" : "nats/row";
  std::string text =
      fmt::format("{:<22}{}, {}\n", "set", e.set, counted(e.images, s.has_pictures() ? "image" : "row"));
  const auto line = [&](const std::string& name, const std::string& value) {
    text += fmt::format("{:<22}{}\n", name, value);
  };
  const bool conditional = s.model().options().conditions > 0;
  if (conditional) line("condition", condition_note(s));
  line("ELBO", fmt::format("{:.3f} {} = -(reconstruction {:.3f} + KL {:.3f})", -e.elbo.loss, unit,
                           e.elbo.reconstruction, e.elbo.kl));
  if (const std::string note = noise_note(s); !note.empty()) line("", "not an ELBO: " + note);
  if (e.importance)
    line(conditional ? "-log p(x|y), at most" : "-log p(x), at most",
         fmt::format("{:.3f} {}{} ({} importance samples, {:.1f} of them effective, {})", e.importance->nll,
                     interval_text(e.importance->standard_error), unit, e.samples,
                     e.importance->effective_samples, elapsed_text(e.importance->seconds)));
  const bool density = s.model().likelihood().is_density();
  if (!std::isnan(e.bits_per_dimension))
    line("bits per dimension",
         fmt::format("{:.4f}{}", e.bits_per_dimension,
                     density ? fmt::format(" (of a density, in units of {})", density_unit(s)) : ""));
  if (s.model().options().missing_values)
    line("observed", fmt::format("{:.2f} % of the values; the losses are those of the observed values",
                                 100 * e.observed));
  if (!l.kl.empty()) line("KL per dimension", fmt::format("{:.3f} nats", fmt::join(l.kl, ", ")));
  line("active units", fmt::format("{} of {} (variance of the posterior mean above 0.01)", l.active_units,
                                   l.mean_variance.size()));
  if (!std::isnan(l.mutual_information))
    line("mutual information",
         fmt::format("{:.3f} nats, at most log {} = {:.2f}", l.mutual_information,
                     std::min<std::int64_t>(e.images, 10000),
                     std::log(static_cast<double>(std::min<std::int64_t>(e.images, 10000)))));
  line("decoder", fmt::format("standard deviation of a value over the set {:.4f}, {:.4f} in the data",
                              l.decoded_stddev, l.data_stddev));
  return text;
}

std::string evaluation_json(const Session& s, const Evaluation& e, const Provenance& provenance) {
  const LatentStatistics& l = e.latent;
  nlohmann::ordered_json j = {{"program", s.program().name},
                              {"preset", s.config().preset},
                              {"seed", s.config().seed},
                              {"set", e.set},
                              {"images", e.images},
                              {"unit", s.has_pictures() ? "nats/image" : "nats/row"},
                              {"condition", s.config().data.condition},
                              {"elbo", -e.elbo.loss},
                              {"reconstruction", e.elbo.reconstruction},
                              {"kl", e.elbo.kl},
                              {"bits_per_dimension", e.bits_per_dimension},
                              {"kl_per_dimension", l.kl},
                              {"posterior_mean_variance", l.mean_variance},
                              {"active_units", l.active_units},
                              {"mutual_information", l.mutual_information},
                              {"decoded_stddev", l.decoded_stddev},
                              {"data_stddev", l.data_stddev},
                              {"collapsed", is_collapsed(l)}};
  if (s.model().options().missing_values) j["observed"] = e.observed;
  if (e.importance)
    j["importance"] = {{"samples", e.samples},
                       {"nll", e.importance->nll},
                       {"standard_error", e.importance->standard_error},
                       {"effective_samples", e.importance->effective_samples},
                       {"seconds", e.importance->seconds}};
  if (!e.rows.elbo.empty()) j["elbo_standard_error"] = mean_over_rows(e.rows.elbo).standard_error;
  if (s.best_epoch() > 0) j["best_epoch"] = s.best_epoch();
  for (const auto& [name, value] : provenance) j["provenance"][name] = value;
  return j.dump(2) + "\n";
}

}  // namespace gpuvae::apps
