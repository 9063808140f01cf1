#include "src/train/model_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/io/checksum.h"
#include "src/io/printable.h"

namespace gpuvae {
namespace {

using DataJson = nlohmann::ordered_json;

constexpr ValueKind kValueKinds[] = {ValueKind::bytes,  ValueKind::unit,         ValueKind::signed_unit,
                                     ValueKind::counts, ValueKind::standardized, ValueKind::any};

ValueKind value_kind(const std::string& text, const std::string& where) {
  const auto* found = std::ranges::find_if(kValueKinds, [&](ValueKind kind) { return text == name(kind); });
  check(found != std::end(kValueKinds), file_error("load"),
        "{}: expected a kind of values, such as bytes or any, got {}", where, io::printable(text));
  return *found;
}

// Reads a whole number of at least `low`. Throws Error that names the file.
template <class T>
void get_whole(const DataJson& json, const char* key, T low, const std::string& where, T& number) {
  const DataJson& value = json.at(key);
  const std::int64_t whole = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  check(whole >= low && whole <= std::numeric_limits<T>::max(), file_error("load"),
        "{}: expected a whole number of {} or more as {}, got {}", where, low, key,
        value.is_number() ? value.dump() : value.type_name());
  number = static_cast<T>(whole);
}

// The JSON library copies nested values recursively, so the depth is limited.
DataJson parsed_data(const std::string& text, const std::string& where) {
  constexpr int kMaxDepth = 8;
  return DataJson::parse(text, [&](int depth, DataJson::parse_event_t, DataJson&) {
    check(depth <= kMaxDepth, file_error("load"),
          "{}: expected a description of the data with at most {} levels, got more", where, kMaxDepth);
    return true;
  });
}

TrainingData data_of(const DataJson& json, const std::string& where) {
  TrainingData data;
  DataDescription& d = data.description;
  json.at("source").get_to(data.source);
  get_whole<std::int64_t>(json, "training_examples", 1, where, data.train_count);
  get_whole<std::int64_t>(json, "validation_examples", 0, where, data.validation_count);
  json.at("fingerprint").get_to(data.fingerprint);
  data.bytes = json.at("dtype").get<std::string>() == "u8";
  json.at("labelled").get_to(data.labelled);
  get_whole(json, "height", 1, where, d.height);
  get_whole(json, "width", 1, where, d.width);
  d.values.kind = value_kind(json.at("values").get<std::string>(), where);
  json.at("value_low").get_to(d.values.low);
  json.at("value_high").get_to(d.values.high);
  json.at("values_scaled").get_to(d.values.scaled);
  json.at("column_names").get_to(d.column_names);
  json.at("label_column").get_to(d.label_column);
  json.at("class_names").get_to(d.class_names);
  json.at("mean").get_to(d.standardization.mean);
  json.at("stddev").get_to(d.standardization.stddev);
  if (json.contains("missing_values")) json.at("missing_values").get_to(d.missing_values);
  if (json.contains("condition_columns"))
    get_whole<std::int64_t>(json, "condition_columns", 0, where, d.condition_columns);
  if (json.contains("condition_classes")) get_whole(json, "condition_classes", 0, where, d.condition_classes);
  if (json.contains("class_labels")) json.at("class_labels").get_to(data.class_labels);
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

void check_data(const TrainingData& data, const std::string& where) {
  const DataDescription& d = data.description;
  const ValueRange& v = d.values;
  const auto features = static_cast<std::size_t>(d.height) * static_cast<std::size_t>(d.width);
  check_moments(d.standardization, features, where);
  check(v.scaled ? v.low < v.high && v.kind != ValueKind::bytes : v.low <= v.high, file_error("load"),
        "{}: expected a range of values whose lower limit comes first, got {} to {}", where, v.low, v.high);
  check(d.column_names.empty() || d.column_names.size() == features, file_error("load"),
        "{}: expected the names of {} columns, got {}", where, features, d.column_names.size());
  check(d.condition_columns == 0 || (d.height == 1 && d.condition_columns < d.width), file_error("load"),
        "{}: expected fewer condition columns than the {} columns of a table, got {}", where, d.width,
        d.condition_columns);
  check(d.condition_classes <= 256, file_error("load"),
        "{}: expected at most 256 classes as condition, got {}", where, d.condition_classes);
  check(std::ranges::all_of(data.class_labels,
                            [&](int label) { return label >= 0 && label < d.condition_classes; }),
        file_error("load"), "{}: expected labels from 0 to {}, got {}", where, d.condition_classes - 1,
        fmt::join(data.class_labels, ", "));
  check(d.class_names.size() <= 256, file_error("load"), "{}: expected at most 256 classes, got {}", where,
        d.class_names.size());
  check(data.fingerprint.size() == 16 &&
            data.fingerprint.find_first_not_of("0123456789abcdef") == std::string::npos,
        file_error("load"), "{}: expected a fingerprint of 16 hexadecimal digits, got {}", where,
        io::printable(data.fingerprint));
}

}  // namespace

std::string data_json(const TrainingData& data) {
  const DataDescription& d = data.description;
  DataJson json = {{"source", data.source},
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
  if (d.missing_values) json["missing_values"] = true;
  if (d.condition_columns > 0) json["condition_columns"] = d.condition_columns;
  if (d.condition_classes > 0) json["condition_classes"] = d.condition_classes;
  if (!data.class_labels.empty()) json["class_labels"] = data.class_labels;
  return json.dump();
}

TrainingData read_data_json(const std::string& text, const std::string& where) {
  try {
    TrainingData data = data_of(parsed_data(text, where), where);
    check_data(data, where);
    return data;
  } catch (const DataJson::exception& error) {
    fail(file_error("load"), "{}: expected a description of the data as JSON, got {}", where,
         io::printable(error.what()));
  }
}

std::string fingerprint_text(const Dataset& train, const DataDescription& d) {
  io::Checksum sum;
  sum.add(fingerprint(train));
  for (const std::vector<double>* moments : {&d.standardization.mean, &d.standardization.stddev})
    for (const double value : *moments) sum.add(std::bit_cast<std::uint64_t>(value));
  if (d.values.scaled)
    for (const double limit : {d.values.low, d.values.high}) sum.add(std::bit_cast<std::uint64_t>(limit));
  return sum.text();
}

namespace {

template <class T>
Dataset codes_to_labels(const Dataset& set, int classes) {
  const std::int64_t kept = set.features() - classes;
  Dataset result = set;
  result.examples = Tensor::empty({set.count(), kept}, set.dtype());
  result.labels.clear();
  const T* from = set.examples.data_as<T>();
  T* to = result.examples.data_as<T>();
  for (std::int64_t i = 0; i < set.count(); ++i, from += set.features()) {
    to = std::copy_n(from, kept, to);
    const T* code = from + kept;
    result.labels.push_back(static_cast<std::uint8_t>(std::max_element(code, code + classes) - code));
  }
  return result;
}

}  // namespace

Dataset without_class_codes(const Dataset& set, int classes) {
  return set.dtype() == DType::u8 ? codes_to_labels<std::uint8_t>(set, classes)
                                  : codes_to_labels<float>(set, classes);
}

void check_training_rows(const TrainingData& data, const Dataset& rows, Origin origin) {
  check(rows.count() == data.train_count, origin, "expected the {} rows of the training set, got {}",
        data.train_count, rows.count());
  const DataDescription& d = data.description;
  Dataset described = d.condition_classes > 0 ? without_class_codes(rows, d.condition_classes) : rows;
  described.height = d.height;
  if (!data.labelled) described.labels.clear();
  if (data.labelled && described.labels.empty()) return;
  const std::string got = fingerprint_text(described, d);
  check(got == data.fingerprint, origin,
        "expected the rows of the training set in their order, with the fingerprint {}, got others, with {}",
        data.fingerprint, got);
}

int whole_of(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return -1;
  int number = -1;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

int epochs_of(const Metadata& metadata) { return whole_of(metadata, "epochs"); }

void check_model_format(const Metadata& metadata, const std::string& where) {
  const auto found = metadata.find("format_version");
  const int version = found == metadata.end() ? 1 : whole_of(metadata, "format_version");
  check(version >= 1 && version <= kModelFormat, file_error("load"),
        "{}: expected format version 1 to {}, got {}: a newer version of gpuvae wrote this file", where,
        kModelFormat, found == metadata.end() ? "none" : io::printable(found->second));
}

void check_model_fits(const VaeOptions& o, const std::filesystem::path& file) {
  const auto layers = [&](double inputs, const std::vector<std::int64_t>& widths, double outputs) {
    double parameters = 0;
    for (const std::int64_t width : widths) {
      parameters += (o.gated ? 2 : 1) * static_cast<double>(width) * (inputs + 1);
      inputs = static_cast<double>(width);
    }
    return parameters + outputs * (inputs + 1);
  };
  const auto features = static_cast<double>(o.features), latent = static_cast<double>(o.latent);
  const auto conditions = static_cast<double>(o.conditions);
  std::vector<std::int64_t> decoder = o.decoder_widths;
  if (decoder.empty()) decoder.assign(o.encoder_widths.rbegin(), o.encoder_widths.rend());
  double heads = 0;
  for (const std::int64_t size : o.posterior->head_sizes(o.latent)) heads += static_cast<double>(size);
  const double parameters =
      layers(features + conditions, o.encoder_widths, heads) +
      layers(latent + conditions, decoder, static_cast<double>(o.likelihood->outputs(o.features)));
  std::error_code error;
  const auto bytes = static_cast<double>(std::filesystem::file_size(file, error));
  check(error || parameters * sizeof(float) <= bytes, file_error("load"),
        "{}: expected a file of a model with {:.0f} parameters, got one of {:.0f} bytes", file.string(),
        parameters, bytes);
}

Vae load_model(const VaeOptions& options, Device device, const std::filesystem::path& file) {
  check_model_fits(options, file);
  try {
    Vae model(options, device);
    load_parameters(file, model.parameters());
    return model;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_argument) throw;
    fail(file_error("load"), "{}: expected the description of a model, got one that is refused: {}",
         file.string(), error.what());
  }
}

}  // namespace gpuvae
