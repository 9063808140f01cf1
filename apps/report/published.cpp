#include "apps/report/published.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "apps/cli/settings.h"

namespace gpuvae::apps {
namespace {

// Settings by flag without dashes, and the values that they need.
using Needs = std::vector<std::pair<std::string, std::string>>;

struct PublishedRow {
  std::string model;
  Needs needs;  // of the model; a run that differs is another model
  double nll;
  std::string source;
};

const char* const kBurda = "Burda, Grosse and Salakhutdinov, arXiv:1509.00519, table 1";

// Models of Burda et al. with one stochastic layer.
PublishedRow burda(const std::string& objective, int samples, double nll) {
  const std::string name = objective == "elbo"   ? "VAE"
                           : objective == "iwae" ? "IWAE"
                                                 : "DReG (unpublished repository numbers)";
  return {fmt::format("{}, 784-200-200-50, k = {}", name, samples),
          {{"hidden", "200,200"},
           {"latent", "50"},
           {"activation", "tanh"},
           {"gated", "false"},
           {"condition", ""},
           {"likelihood", "bernoulli"},
           {"prior", "normal"},
           {"posterior", "gaussian"},
           {"binarize", "dynamic"},
           {"beta", "1"},
           {"objective", objective},
           {"objective-samples", std::to_string(samples)}},
          nll,
          objective == "dreg" ? "github.com/nbip/IWAE, README, one seed" : kBurda};
}

const std::vector<PublishedRow>& published_rows() {
  static const std::vector<PublishedRow> kRows = {
      burda("elbo", 1, 86.76),  burda("elbo", 5, 86.47), burda("elbo", 50, 86.35), burda("iwae", 5, 85.54),
      burda("iwae", 50, 84.78), burda("dreg", 1, 86.08), burda("dreg", 5, 84.90),  burda("dreg", 50, 84.32),
  };
  return kRows;
}

// The texts of all settings, by flag without dashes.
std::map<std::string, std::string> texts_of(const RunConfig& config) {
  std::map<std::string, std::string> texts;
  for (const ValueGroup& group : values_of(config))
    for (const NamedValue& v : group.values) texts[v.flag.substr(2)] = text_of(v.value);
  return texts;
}

bool is_mnist(const Session& s) {
  const DataDescription& d = s.description();
  return s.program().name == "mnist_vae" && !s.config().data.builtin && s.config().data.path.empty() &&
         d.height == 28 && d.width == 28;
}

std::vector<std::string> differences_of(const Session& s, const Evaluation& e,
                                        const std::map<std::string, std::string>& texts) {
  constexpr std::int64_t kTestImages = 10'000, kSamples = 5000, kFewestTraining = 50'000;
  std::vector<std::string> differences;
  const auto compare = [&](bool same, const std::string& text) {
    if (!same) differences.push_back(text);
  };
  const bool test_set =
      e.set == "test" || (e.set == "validation" && s.config().data.validation_set == "test");
  compare(test_set,
          e.set == "validation"
              ? "evaluated on validation images that are not the test set, published: on the test set"
              : "evaluated on training images, published: on the test set");
  compare(e.images == kTestImages, fmt::format("{} images, published: {}", e.images, kTestImages));
  compare(e.samples == kSamples,
          e.samples > 0 ? fmt::format("{} importance samples, published: {}", e.samples, kSamples)
                        : fmt::format("ELBO, published: {} importance samples", kSamples));
  const std::int64_t trained = s.data_facts().train_count;
  compare(trained >= kFewestTraining, fmt::format("{} training images, published: 59600", trained));
  const std::string epochs = texts.at("epochs"), schedule = texts.at("schedule");
  compare(epochs == "3280" && schedule == "iwae",
          fmt::format("--epochs {} with the schedule {}, published: 3280 epochs with the schedule iwae",
                      epochs, schedule));
  return differences;
}

}  // namespace

std::vector<PublishedValue> published_values(const Session& s, const Evaluation& e) {
  std::vector<PublishedValue> values;
  if (!is_mnist(s)) return values;
  const std::map<std::string, std::string> texts = texts_of(s.config());
  for (const PublishedRow& row : published_rows()) {
    bool same = true;
    for (const auto& [flag, text] : row.needs) {
      const auto found = texts.find(flag);
      same = same && found != texts.end() && found->second == text;
    }
    if (same) values.push_back({row.model, row.nll, row.source, differences_of(s, e, texts)});
  }
  return values;
}

}  // namespace gpuvae::apps
