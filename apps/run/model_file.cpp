#include "apps/run/model_file.h"

#include <bit>
#include <charconv>
#include <cmath>
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

constexpr ValueKind kValueKinds[] = {ValueKind::bytes,  ValueKind::unit,         ValueKind::signed_unit,
                                     ValueKind::counts, ValueKind::standardized, ValueKind::any};

ValueKind kind_of(const std::string& text, const std::string& where) {
  for (const ValueKind kind : kValueKinds)
    if (text == name(kind)) return kind;
  fail(file_error("load"), "{}: expected a kind of values, such as bytes or any, got {}", where,
       io::printable(text));
}

// Reads a whole number of at least `low`. Throws Error that names the file.
template <class T>
void get_whole(const Json& json, const char* key, T low, const std::string& where, T& number) {
  const Json& value = json.at(key);
  const std::int64_t whole = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  check(whole >= low && whole <= std::numeric_limits<T>::max(), file_error("load"),
        "{}: expected a whole number of {} or more as {}, got {}", where, low, key,
        value.is_number() ? value.dump() : value.type_name());
  number = static_cast<T>(whole);
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

DataFacts facts_of_json(const Json& json, const std::string& where) {
  DataFacts data;
  DataDescription& d = data.description;
  json.at("source").get_to(data.source);
  get_whole<std::int64_t>(json, "training_examples", 1, where, data.train_count);
  get_whole<std::int64_t>(json, "validation_examples", 0, where, data.validation_count);
  json.at("fingerprint").get_to(data.fingerprint);
  data.bytes = json.at("dtype").get<std::string>() == "u8";
  json.at("labelled").get_to(data.labelled);
  get_whole(json, "height", 1, where, d.height);
  get_whole(json, "width", 1, where, d.width);
  d.values.kind = kind_of(json.at("values").get<std::string>(), where);
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

// A column that was constant in training has a standard deviation of 0.
void check_moments(const Standardization& moments, std::size_t features, const std::string& where) {
  for (const std::vector<double>* values : {&moments.mean, &moments.stddev})
    check(values->empty() || values->size() == features, file_error("load"),
          "{}: expected the moments of {} columns, got {}", where, features, values->size());
  check(moments.mean.size() == moments.stddev.size(), file_error("load"),
        "{}: expected as many means as standard deviations, got {} and {}", where, moments.mean.size(),
        moments.stddev.size());
  for (const double mean : moments.mean)
    check(std::isfinite(mean), file_error("load"), "{}: expected finite means, got {}", where, mean);
  for (const double stddev : moments.stddev)
    check(std::isfinite(stddev) && stddev >= 0, file_error("load"),
          "{}: expected standard deviations of 0 (a constant column) or more, got {}", where, stddev);
}

void check_facts(const DataFacts& data, const std::string& where) {
  const DataDescription& d = data.description;
  const ValueRange& v = d.values;
  const auto features = static_cast<std::size_t>(d.height) * static_cast<std::size_t>(d.width);
  check_moments(d.standardization, features, where);
  check(v.scaled ? v.low < v.high && v.kind != ValueKind::bytes : v.low <= v.high, file_error("load"),
        "{}: expected a range of values whose lower limit comes first, got {} to {}", where, v.low, v.high);
  check(d.column_names.empty() || d.column_names.size() == features, file_error("load"),
        "{}: expected the names of {} columns, got {}", where, features, d.column_names.size());
  check(d.class_names.size() <= 256, file_error("load"), "{}: expected at most 256 classes, got {}", where,
        d.class_names.size());
  check(data.fingerprint.size() == 16 &&
            data.fingerprint.find_first_not_of("0123456789abcdef") == std::string::npos,
        file_error("load"), "{}: expected a fingerprint of 16 hexadecimal digits, got {}", where,
        io::printable(data.fingerprint));
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
                 .bytes = train.dtype() == DType::u8,
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

namespace {

// Parses the description of the data. The JSON library copies nested values recursively, so the depth is
// limited.
Json parse_description(const std::string& text, const std::string& where) {
  constexpr int kMaxDepth = 8;
  return Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
    check(depth <= kMaxDepth, file_error("load"),
          "{}: expected a description of the data with at most {} levels, got more", where, kMaxDepth);
    return true;
  });
}

}  // namespace

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
                       facts_of_json(parse_description(data->second, where), where)};
    check_facts(run.data, where);
    return run;
  } catch (const Json::exception& error) {
    fail(file_error("load"), "{}: expected a description of the data as JSON, got {}", where,
         io::printable(error.what()));
  }
}

std::string processes_of(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find(kProcessesKey);
  if (found == metadata.end()) return "1";
  check(!found->second.empty() && found->second.find_first_not_of("0123456789,") == std::string::npos,
        file_error("load"), "expected numbers of processes in the metadata, got {}",
        io::printable(found->second));
  return found->second;
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
