#include "src/c/model_file.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gpuvae/version.h"
#include "src/io/checksum.h"
#include "src/io/safetensors.h"

namespace gpuvae::c {
namespace {

using Json = nlohmann::ordered_json;

// The format version of model files. Version 1 had no description.
constexpr int kModelFormat = 2;
constexpr const char* kProgram = "vae";
constexpr const char *kSettingsKey = "settings", *kDataKey = "data";
// The size of an example in the file of a model that was never trained, which has no data to describe.
constexpr const char *kHeightKey = "example_height", *kWidthKey = "example_width";
constexpr ValueKind kKinds[] = {ValueKind::bytes,  ValueKind::unit,         ValueKind::signed_unit,
                                ValueKind::counts, ValueKind::standardized, ValueKind::any};

int whole_or(const std::map<std::string, std::string>& metadata, const char* key, int otherwise) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return otherwise;
  int number = otherwise;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

// Reads members of a JSON object. Throws Error with the file and the member.
class JsonReader {
 public:
  JsonReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    check(json.is_object(), file_error("load"), "{}: expected a JSON object, got {}", where_,
          json.type_name());
  }

  bool has(const char* key) const { return json_.contains(key); }
  std::string text(const char* key) const { return get<std::string>(key, "a text", &Json::is_string); }
  double number(const char* key) const {
    const auto value = get<double>(key, "a finite number", &Json::is_number);
    check(std::isfinite(value), file_error("load"), "{}: expected a finite number as {}, got {}", where_, key,
          value);
    return value;
  }
  bool yes(const char* key) const { return get<bool>(key, "true or false", &Json::is_boolean); }
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
    return enumerator(text(key), last, key, file_error("load"));
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

Json parsed(const std::map<std::string, std::string>& metadata, const char* key, const std::string& where) {
  // The JSON library copies nested values recursively, so the depth is limited.
  constexpr int kMaxDepth = 8;
  return Json::parse(metadata.at(key), [&](int depth, Json::parse_event_t, Json&) {
    check(depth <= kMaxDepth, file_error("load"),
          "{}: expected a description with at most {} levels, got more", where, kMaxDepth);
    return true;
  });
}

void read_settings(const JsonReader& json, bool bytes, const std::string& where, FileDescription& file) {
  VaeOptions& vae = file.vae;
  vae.encoder_widths = json.list<std::int64_t>("hidden");
  vae.decoder_widths = json.list<std::int64_t>("decoder-hidden");
  vae.latent = json.whole("latent", 1, INT_MAX);
  vae.activation = json.name("activation", all_activations().back());
  if (json.has("precision")) vae.precision = json.name("precision", Precision::bf16);
  DistributionOptions& d = file.distributions;
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
    d.prior_components = static_cast<int>(json.whole("prior-components", 1, 100'000));
  if (json.has("posterior-scale")) d.posterior.scale = json.name("posterior-scale", PosteriorScale::softplus);
  if (json.has("noise-std")) d.posterior.noise_std = json.number("noise-std");
}

void check_moments(const Standardization& by, std::int64_t features, const std::string& where) {
  for (const std::vector<double>* values : {&by.mean, &by.stddev})
    check(values->empty() || static_cast<std::int64_t>(values->size()) == features, file_error("load"),
          "{}: expected the moments of {} columns, got {}", where, features, values->size());
  check(by.mean.size() == by.stddev.size(), file_error("load"),
        "{}: expected as many means as standard deviations, got {} and {}", where, by.mean.size(),
        by.stddev.size());
  for (std::size_t i = 0; i < by.mean.size(); ++i)
    check(std::isfinite(by.mean[i]) && std::isfinite(by.stddev[i]) && by.stddev[i] >= 0, file_error("load"),
          "{}: expected a finite mean and a standard deviation of 0 or more in column {}, got {} and {}",
          where, i, by.mean[i], by.stddev[i]);
}

DataDescription data_of(const JsonReader& json, const std::string& where) {
  DataDescription d;
  d.height = static_cast<int>(json.whole("height", 1, INT_MAX));
  d.width = static_cast<int>(json.whole("width", 1, INT_MAX));
  const std::int64_t features = std::int64_t{d.height} * d.width;
  const std::string kind = json.text("values");
  const auto* found = std::ranges::find_if(kKinds, [&](ValueKind k) { return kind == gpuvae::name(k); });
  check(found != std::end(kKinds), file_error("load"),
        "{}: expected a kind of values, such as bytes or any, got {}", where, io::printable(kind));
  d.values = {*found, json.number("value_low"), json.number("value_high"), json.yes("values_scaled")};
  const ValueRange& v = d.values;
  check(v.scaled ? v.low < v.high && v.kind != ValueKind::bytes : v.low <= v.high, file_error("load"),
        "{}: expected a range of values whose lower limit comes first, got {} to {}", where, v.low, v.high);
  d.standardization = {json.list<double>("mean"), json.list<double>("stddev")};
  check_moments(d.standardization, features, where);
  return d;
}

// The settings that decide the model, under the names of the programs' flags.
Json settings_of(const SavedModel& model) {
  const VaeOptions& vae = model.vae.options();
  const DistributionOptions& d = model.distributions;
  return {{"seed", vae.initializer.seed},
          {"hidden", vae.encoder_widths},
          {"decoder-hidden", vae.decoder_widths},
          {"latent", vae.latent},
          {"activation", name(vae.activation)},
          {"precision", name(vae.precision)},
          {"posterior-scale", name(d.posterior.scale)},
          {"likelihood", d.likelihood},
          {"gaussian-mean", d.gaussian.sigmoid_mean ? "sigmoid" : "identity"},
          {"sigma", d.sigma},
          {"log-variance-low", d.gaussian.low},
          {"log-variance-high", d.gaussian.high},
          {"prior", d.prior},
          {"prior-components", d.prior_components},
          {"noise-std", d.posterior.noise_std},
          {"epochs", std::max(model.epochs, 0)}};
}

Json data_json(const TrainingData& data) {
  const DataDescription& d = data.description;
  return {{"source", data.source},
          {"training_examples", data.train_count},
          {"validation_examples", data.validation_count},
          {"fingerprint", data.fingerprint},
          {"dtype", d.values.kind == ValueKind::bytes ? "u8" : "f32"},
          {"labelled", false},
          {"height", d.height},
          {"width", d.width},
          {"values", gpuvae::name(d.values.kind)},
          {"value_low", d.values.low},
          {"value_high", d.values.high},
          {"values_scaled", d.values.scaled},
          {"column_names", d.column_names},
          {"label_column", d.label_column},
          {"class_names", d.class_names},
          {"mean", d.standardization.mean},
          {"stddev", d.standardization.stddev}};
}

// Updates what a loaded file says about its training data, and keeps the names that it has.
void update_data(Json& json, const TrainingData& data) {
  const Json of_data = data_json(data);
  for (const char* key : {"source", "training_examples", "validation_examples", "fingerprint"})
    json[key] = of_data[key];
}

// Reads the description of the training data or, if the model was never trained, its size.
void read_data(FileDescription& file, const std::string& where) {
  if (!file.metadata.contains(kDataKey)) {
    file.height = whole_or(file.metadata, kHeightKey, -1);
    file.width = whole_or(file.metadata, kWidthKey, -1);
    check(file.height >= 1 && file.width >= 1, file_error("load"),
          "{}: expected a description of the training data or the numbers {} and {} in the metadata, got "
          "neither",
          where, kHeightKey, kWidthKey);
    return;
  }
  const Json json = parsed(file.metadata, kDataKey, where);
  file.data = data_of(JsonReader(json, where), where);
  file.height = file.data->height;
  file.width = file.data->width;
}

}  // namespace

FileDescription read_description(const std::filesystem::path& path) {
  FileDescription file;
  file.metadata = io::read_safetensors_metadata(path);
  const std::string where = path.string();
  const int version = whole_or(file.metadata, "format_version", 1);
  check(
      version >= 1 && version <= kModelFormat, file_error("load"),
      "{}: expected format version 1 to {}, got {}: a newer version of gpuvae wrote this file", where,
      kModelFormat,
      file.metadata.contains("format_version") ? io::printable(file.metadata.at("format_version")) : "none");
  check(file.metadata.contains(kSettingsKey), file_error("load"),
        "{}: expected a model whose metadata describe it, got one without (a program of format version 1 or "
        "another library wrote it)",
        where);
  try {
    read_data(file, where);
    const Json settings = parsed(file.metadata, kSettingsKey, where);
    const bool bytes = file.data && file.data->values.kind == ValueKind::bytes;
    read_settings(JsonReader(settings, where), bytes, where, file);
  } catch (const Json::exception& error) {
    fail(file_error("load"), "{}: expected a description as JSON, got {}", where,
         io::printable(error.what()));
  }
  file.vae.features = std::int64_t{file.height} * file.width;
  set_distributions(file.distributions, file.vae, file_error("load"));
  file.epochs = whole_or(file.metadata, "epochs", -1);
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
  metadata[kHeightKey] = std::to_string(model.height);
  metadata[kWidthKey] = std::to_string(model.width);
  if (model.data) {
    Json data =
        metadata.contains(kDataKey) ? parsed(metadata, kDataKey, path.string()) : data_json(*model.data);
    update_data(data, *model.data);
    metadata[kDataKey] = data.dump();
  }
  save_parameters(path, model.vae.parameters(), metadata);
}

}  // namespace gpuvae::c
