#include "src/c/model_file.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gpuvae/version.h"
#include "src/io/checksum.h"
#include "src/io/safetensors.h"

namespace gpuvae::c {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "vae";
// The size of an example in the file of a model that was never trained, which has no data to describe.
constexpr const char *kHeightKey = "example_height", *kWidthKey = "example_width";
constexpr const char *kColumnsKey = "condition_columns", *kClassesKey = "condition_classes";

// Reads members of a JSON object. Throws Error with the file and the member.
class JsonReader {
 public:
  JsonReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    check(json.is_object(), file_error("load"), "{}: expected a JSON object, got {}", where_,
          json.type_name());
  }

  bool has(const char* key) const { return json_.contains(key); }
  bool flag(const char* key) const { return get<bool>(key, "true or false", &Json::is_boolean); }
  std::string text(const char* key) const { return get<std::string>(key, "a text", &Json::is_string); }
  double number(const char* key) const {
    const auto value = get<double>(key, "a finite number", &Json::is_number);
    check(std::isfinite(value), file_error("load"), "{}: expected a finite number as {}, got {}", where_, key,
          value);
    return value;
  }
  std::uint64_t seed(const char* key) const {
    return get<std::uint64_t>(key, "a whole number of 0 or more", &Json::is_number_unsigned);
  }
  std::int64_t whole(const char* key, std::int64_t low, std::int64_t high) const {
    const auto value = get<std::int64_t>(key, "a whole number", &Json::is_number_integer);
    check(value >= low && value <= high, file_error("load"), "{}: expected {} to {} as {}, got {}", where_,
          low, high, key, value);
    return value;
  }
  template <class T>
  std::vector<T> list(const char* key) const {
    return get<std::vector<T>>(key, "a list", &Json::is_array);
  }
  template <class E>
  E name(const char* key, E last) const {
    const std::string value = text(key);
    for (int i = 0; i <= static_cast<int>(last); ++i)
      if (gpuvae::name(static_cast<E>(i)) == value) return static_cast<E>(i);
    fail(file_error("load"), "{}: expected a name of this version as {}, got {}", where_, key,
         io::printable(value));
  }

 private:
  template <class T>
  T get(const char* key, const char* expected, bool (Json::*is)() const noexcept) const {
    const auto found = json_.find(key);
    check(found != json_.end(), file_error("load"), "{}: expected {} as {}, got nothing", where_, expected,
          key);
    check(((*found).*is)(), file_error("load"), "{}: expected {} as {}, got {}", where_, expected, key,
          found->type_name());
    return found->template get<T>();
  }

  const Json& json_;
  std::string where_;
};

Json parsed_settings(const std::string& text, const std::string& where) {
  // The JSON library copies nested values recursively, so the depth is limited.
  constexpr int kMaxDepth = 8;
  return Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
    check(depth <= kMaxDepth, file_error("load"),
          "{}: expected a description with at most {} levels, got more", where, kMaxDepth);
    return true;
  });
}

void read_exemplar_data(const JsonReader& json, BatchOptions& data) {
  if (json.has("seed")) data.seed = json.seed("seed");
  if (json.has("binarize")) data.binarize = json.name("binarize", Binarize::dynamic);
  if (json.has("threshold")) data.threshold = json.number("threshold");
}

void read_settings(const JsonReader& json, bool bytes, const std::string& where, FileDescription& file) {
  VaeOptions& vae = file.vae;
  vae.encoder_widths = json.list<std::int64_t>("hidden");
  vae.decoder_widths = json.list<std::int64_t>("decoder-hidden");
  vae.latent = json.whole("latent", 1, INT_MAX);
  vae.activation = json.name("activation", all_activations().back());
  if (json.has("gated")) vae.gated = json.flag("gated");
  if (json.has("precision")) vae.precision = json.name("precision", Precision::bf16);
  DistributionSettings& d = file.distributions;
  d.likelihood = json.text("likelihood");
  if (json.has("gaussian-mean")) {
    const std::string mean = json.text("gaussian-mean");
    check(mean == "sigmoid" || mean == "identity", file_error("load"),
          "{}: expected sigmoid or identity as gaussian-mean, got {}", where, io::printable(mean));
    d.gaussian.sigmoid_mean = mean == "sigmoid";
  }
  if (d.likelihood == "auto") {
    d.likelihood = bytes ? "bernoulli" : "gaussian";
    d.gaussian.sigmoid_mean = bytes;
  }
  if (json.has("sigma")) d.sigma = json.number("sigma");
  if (json.has("log-variance-low")) d.gaussian.low = json.number("log-variance-low");
  if (json.has("log-variance-high")) d.gaussian.high = json.number("log-variance-high");
  d.prior = json.text("prior");
  if (json.has("prior-components"))
    d.prior_components = static_cast<int>(json.whole("prior-components", 1, kMaxPriorComponents));
  if (json.has("posterior")) d.posterior_family = json.text("posterior");
  if (json.has("posterior-scale")) d.posterior.scale = json.name("posterior-scale", PosteriorScale::softplus);
  if (json.has("noise-std")) d.posterior.noise_std = json.number("noise-std");
  if (json.has("log-scale-low")) d.log_scale_low = json.number("log-scale-low");
  if (json.has("log-scale-high")) d.log_scale_high = json.number("log-scale-high");
  if (json.has("column-types")) d.column_types = json.text("column-types");
  if (json.has("library-reference")) d.library_reference = json.number("library-reference");
  if (json.has("log1p-counts")) d.log1p_counts = json.flag("log1p-counts");
  if (json.has("missing-values")) d.missing_values = json.flag("missing-values");
  if (d.prior == "exemplar") read_exemplar_data(json, file.exemplar_data);
}

// The condition as the flag --condition of the programs names it.
std::string condition_text(const ConditionRules& condition) {
  std::string text;
  for (std::int64_t i = 0; i < condition.columns; ++i)
    text += (i == 0 ? "condition" : ",condition") + std::to_string(i);
  if (condition.classes > 0) text += text.empty() ? "label" : ",label";
  return text;
}

// Adds how the exemplars of a model became examples. The noise of the programs follows from the same seed.
void set_exemplar_data(Json& settings, const BatchOptions& data) {
  settings["seed"] = data.seed;
  settings["binarize"] = name(data.binarize);
  settings["threshold"] = data.threshold;
}

// The settings that decide the model, under the names of the programs' flags.
Json settings_of(const SavedModel& model) {
  const VaeOptions& vae = model.vae.options();
  const DistributionSettings& d = model.distributions;
  return {{"seed", vae.initializer.seed},
          {"hidden", vae.encoder_widths},
          {"decoder-hidden", vae.decoder_widths},
          {"latent", vae.latent},
          {"activation", name(vae.activation)},
          {"gated", vae.gated},
          {"precision", name(vae.precision)},
          {"posterior", d.posterior_family},
          {"posterior-scale", name(d.posterior.scale)},
          {"likelihood", d.likelihood},
          {"gaussian-mean", d.gaussian.sigmoid_mean ? "sigmoid" : "identity"},
          {"sigma", d.sigma},
          {"log-variance-low", d.gaussian.low},
          {"log-variance-high", d.gaussian.high},
          {"prior", d.prior},
          {"prior-components", d.prior_components},
          {"noise-std", d.posterior.noise_std},
          {"log-scale-low", d.log_scale_low},
          {"log-scale-high", d.log_scale_high},
          {"column-types", d.column_types},
          {"library-reference", d.library_reference},
          {"log1p-counts", d.log1p_counts},
          {"missing-values", d.missing_values},
          {"condition", condition_text(model.condition)},
          {"epochs", std::max(model.epochs, 0)}};
}

// Reads the description of the training data or, if the model was never trained, its size.
void read_data(FileDescription& file, const std::string& where) {
  if (!file.metadata.contains(kDataKey)) {
    file.height = whole_of(file.metadata, kHeightKey);
    file.width = whole_of(file.metadata, kWidthKey);
    check(file.height >= 1 && file.width >= 1, file_error("load"),
          "{}: expected a description of the training data or the numbers {} and {} in the metadata, got "
          "neither",
          where, kHeightKey, kWidthKey);
    file.condition.columns = std::max(whole_of(file.metadata, kColumnsKey), 0);
    file.condition.classes = std::max(whole_of(file.metadata, kClassesKey), 0);
    return;
  }
  file.data = read_data_json(file.metadata.at(kDataKey), where).description;
  file.condition.columns = file.data->condition_columns;
  file.condition.classes = file.data->condition_classes;
  file.height = file.data->height;
  file.width = static_cast<int>(file.data->width - file.data->condition_columns);
}

}  // namespace

FileDescription read_description(const std::filesystem::path& path) {
  FileDescription file;
  file.metadata = io::read_safetensors_metadata(path);
  const std::string where = path.string();
  check_model_format(file.metadata, where);
  check(file.metadata.contains(kSettingsKey), file_error("load"),
        "{}: expected a model whose metadata describe it, got one without (a program of format version 1 or "
        "another library wrote it)",
        where);
  try {
    read_data(file, where);
    const Json settings = parsed_settings(file.metadata.at(kSettingsKey), where);
    const bool bytes = file.data && file.data->values.kind == ValueKind::bytes;
    read_settings(JsonReader(settings, where), bytes, where, file);
  } catch (const Json::exception& error) {
    fail(file_error("load"), "{}: expected a description as JSON, got {}", where,
         io::printable(error.what()));
  }
  file.vae.features = std::int64_t{file.height} * file.width;
  file.vae.conditions = file.condition.size();
  try {
    file.exemplars = add_exemplar_slot(file.distributions);
    set_distributions(file.distributions, file.vae, file_error("load"));
  } catch (const Error& error) {
    fail(file_error("load"), "{}: expected the description of a model, got one that is refused: {}", where,
         error.what());
  }
  file.epochs = epochs_of(file.metadata);
  return file;
}

void save_model(const std::filesystem::path& path, const SavedModel& model) {
  std::map<std::string, std::string> metadata = model.metadata;
  metadata.erase(io::kChecksumKey);
  metadata["format"] = "gpuvae";
  metadata["format_version"] = std::to_string(kModelFormat);
  metadata["program_version"] = version();
  metadata.emplace("program", kProgram);
  metadata.emplace("preset", "default");
  if (model.epochs >= 0) metadata["epochs"] = std::to_string(model.epochs);
  metadata.emplace(kSettingsKey, settings_of(model).dump());
  if (model.distributions.prior == "exemplar") {
    Json settings = Json::parse(metadata[kSettingsKey]);
    set_exemplar_data(settings, model.exemplar_data);
    metadata[kSettingsKey] = settings.dump();
  }
  metadata[kHeightKey] = std::to_string(model.height);
  metadata[kWidthKey] = std::to_string(model.width);
  metadata[kColumnsKey] = std::to_string(model.condition.columns);
  metadata[kClassesKey] = std::to_string(model.condition.classes);
  if (model.data) {
    TrainingData data = *model.data;
    // A loaded file keeps the names that it has.
    if (const auto loaded = metadata.find(kDataKey); loaded != metadata.end()) {
      const TrainingData before = read_data_json(loaded->second, path.string());
      data.description = before.description;
      data.bytes = before.bytes;
      data.labelled = data.labelled || before.labelled;
    }
    metadata[kDataKey] = data_json(data);
  }
  save_parameters(path, model.vae.parameters(), metadata);
}

}  // namespace gpuvae::c
