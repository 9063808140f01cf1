#include "apps/run/model_file.h"

#include <bit>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/cli/config_file.h"
#include "gpuvae/version.h"
#include "kernels/check.h"
#include "src/io/checksum.h"
#include "src/io/printable.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

using Json = nlohmann::ordered_json;

// Version 1 had no description of the run.
constexpr int kVersion = 2;

constexpr ValueKind kKinds[] = {ValueKind::bytes,  ValueKind::unit,         ValueKind::signed_unit,
                                ValueKind::counts, ValueKind::standardized, ValueKind::any};

ValueKind kind_of(const std::string& where, const std::string& text) {
  for (const ValueKind kind : kKinds)
    if (text == name(kind)) return kind;
  fail(file_error("load"), "{}: expected a kind of values, got {}", where, io::printable(text));
}

std::string json_of(const DataFacts& data) {
  const DataDescription& d = data.description;
  const Json json = {{"source", data.source},
                     {"training_examples", data.train_count},
                     {"validation_examples", data.validation_count},
                     {"fingerprint", data.fingerprint},
                     {"dtype", data.bytes ? "u8" : "f32"},
                     {"labelled", data.labelled},
                     {"height", d.height},
                     {"width", d.width},
                     {"values", name(d.values.kind)},
                     {"value_low", d.values.low},
                     {"value_high", d.values.high},
                     {"values_scaled", d.values.scaled},
                     {"column_names", d.column_names},
                     {"label_column", d.label_column},
                     {"class_names", d.class_names},
                     {"mean", d.standardization.mean},
                     {"stddev", d.standardization.stddev}};
  return json.dump();
}

// Reads a whole number. The JSON library would cut off digits that the type does not hold.
template <class T>
void get_whole(const std::string& where, const Json& json, const char* key, T& number) {
  const Json& value = json.at(key);
  check(value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX),
        file_error("load"), "{}: expected a whole number as {}, got {}", where, key, value.type_name());
  const auto wide = value.get<std::int64_t>();
  check(wide >= 0 && wide <= std::numeric_limits<T>::max(), file_error("load"),
        "{}: expected a number from 0 to {} as {}, got {}", where, std::numeric_limits<T>::max(), key, wide);
  number = static_cast<T>(wide);
}

DataFacts facts_of_json(const std::string& where, const Json& json) {
  DataFacts data;
  DataDescription& d = data.description;
  json.at("source").get_to(data.source);
  get_whole(where, json, "training_examples", data.train_count);
  get_whole(where, json, "validation_examples", data.validation_count);
  json.at("fingerprint").get_to(data.fingerprint);
  data.bytes = json.at("dtype").get<std::string>() == "u8";
  json.at("labelled").get_to(data.labelled);
  get_whole(where, json, "height", d.height);
  get_whole(where, json, "width", d.width);
  d.values.kind = kind_of(where, json.at("values").get<std::string>());
  json.at("value_low").get_to(d.values.low);
  json.at("value_high").get_to(d.values.high);
  json.at("values_scaled").get_to(d.values.scaled);
  json.at("column_names").get_to(d.column_names);
  json.at("label_column").get_to(d.label_column);
  json.at("class_names").get_to(d.class_names);
  json.at("mean").get_to(d.standardization.mean);
  json.at("stddev").get_to(d.standardization.stddev);
  return data;
}

void check_facts(const std::string& where, const DataFacts& data) {
  constexpr std::size_t kMaxClasses = 256;  // labels are bytes
  const DataDescription& d = data.description;
  const std::vector<double>&mean = d.standardization.mean, &stddev = d.standardization.stddev;
  const Origin load = file_error("load");
  check(d.height >= 1 && d.width >= 1, load, "{}: expected data of 1 x 1 or more, got {} x {}", where,
        d.height, d.width);
  const auto features = static_cast<std::size_t>(d.height) * static_cast<std::size_t>(d.width);
  check(d.values.low <= d.values.high, load, "{}: expected a range of values, got {} to {}", where,
        d.values.low, d.values.high);
  for (const std::vector<double>* moments : {&mean, &stddev})
    check(moments->empty() || moments->size() == features, load,
          "{}: expected the moments of {} columns, got {}", where, features, moments->size());
  check(mean.size() == stddev.size(), load,
        "{}: expected as many means as standard deviations, got {} and {}", where, mean.size(),
        stddev.size());
  for (const double s : stddev)
    check(s >= 0, load, "{}: expected standard deviations of 0 or more, got {}", where, s);
  check(d.column_names.empty() || d.column_names.size() == features, load,
        "{}: expected the names of {} columns, got {}", where, features, d.column_names.size());
  check(d.class_names.size() <= kMaxClasses, load, "{}: expected at most {} classes, got {}", where,
        kMaxClasses, d.class_names.size());
}

// Fingerprint of the training set and of its standardisation or scaling. Tables in different units have
// different fingerprints, even if they are equal once they are standardised.
std::string fingerprint_of(const Dataset& train, const DataDescription& d) {
  io::Checksum sum;
  sum.add(fingerprint(train));
  for (const std::vector<double>* moments : {&d.standardization.mean, &d.standardization.stddev})
    for (const double value : *moments) sum.add(std::bit_cast<std::uint64_t>(value));
  if (d.values.scaled)
    for (const double limit : {d.values.low, d.values.high}) sum.add(std::bit_cast<std::uint64_t>(limit));
  return sum.text();
}

int version_of(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find("format_version");
  if (found == metadata.end()) return 1;
  const std::string& text = found->second;
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  return error == std::errc() && end == text.data() + text.size() ? version : -1;
}

}  // namespace

DataFacts facts_of(const Dataset& train, const Dataset& validation, const Split& split) {
  DataFacts data{.description = split.description,
                 .source = split.source,
                 .train_count = train.count(),
                 .validation_count = validation.count(),
                 .bytes = train.examples.dtype() == DType::u8,
                 .labelled = !train.labels.empty(),
                 .fingerprint = fingerprint_of(train, split.description)};
  data.description.height = train.height;
  data.description.width = train.width;
  return data;
}

std::map<std::string, std::string> metadata_of(const RunConfig& config, const DataFacts& data,
                                               const std::string& program) {
  return {{"program", program},
          {"program_version", version()},
          {"preset", config.preset},
          {kSettingsKey, settings_json(config)},
          {"data", json_of(data)}};
}

std::optional<RunDescription> read_description(const std::filesystem::path& path,
                                               const std::string& program) {
  const auto metadata = io::read_safetensors_metadata(path);
  const std::string where = path.string();
  const int version = version_of(metadata);
  check(version >= 1 && version <= kVersion, file_error("load"),
        "{}: expected format version 1 to {}, got {}: a newer version of gpuvae wrote this file", where,
        kVersion,
        metadata.contains("format_version") ? io::printable(metadata.at("format_version")) : "none");
  const auto settings = metadata.find(kSettingsKey), data = metadata.find("data");
  if (settings == metadata.end() || data == metadata.end()) return std::nullopt;
  const auto made_by = metadata.find("program");
  check(made_by != metadata.end() && made_by->second == program, file_error("load"),
        "{}: expected a model of {}, got one of {}", where, program,
        made_by == metadata.end() ? "an unknown program" : io::printable(made_by->second));
  try {
    RunDescription run{texts_of_settings_json(settings->second, where),
                       facts_of_json(where, Json::parse(data->second))};
    check_facts(where, run.data);
    return run;
  } catch (const Json::exception& error) {
    fail(file_error("load"), "{}: expected a description of the data as JSON, got {}", where,
         io::printable(error.what()));
  }
}

int epochs_of(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find("epochs");
  if (found == metadata.end()) return -1;
  int epochs = -1;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), epochs);
  return epochs;
}

}  // namespace gpuvae::apps
