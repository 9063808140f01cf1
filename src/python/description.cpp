#include "src/python/description.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "kernels/check.h"
#include "src/io/safetensors.h"
#include "src/python/device_array.h"
#include "src/python/interpreter.h"
#include "src/train/model_file.h"
#include "src/vae/column_rules.h"

namespace gpuvae::python {

namespace nb = nanobind;

namespace {

ValueKind value_kind(const std::string& text) {
  for (int i = 0; i <= static_cast<int>(ValueKind::any); ++i)
    if (text == name(static_cast<ValueKind>(i))) return static_cast<ValueKind>(i);
  fail("describe", "expected the name of a kind of values, got {}", text);
}

template <class T>
T field(const nb::dict& values, const char* key) {
  return nb::cast<T>(values[key]);
}

}  // namespace

nb::tuple read_description(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Metadata metadata = io::read_safetensors_metadata(path);
  check_model_format(metadata, where);
  check(metadata.contains(kSettingsKey) && metadata.contains(kDataKey), file_error("load"),
        "{}: expected a description of the model and of its training data in the metadata, got none", where);
  const DataDescription data = read_data_json(metadata.at(kDataKey), where).description;
  nb::dict result;
  result["kind"] = name(data.values.kind);
  result["low"] = data.values.low;
  result["high"] = data.values.high;
  result["scaled"] = data.values.scaled;
  result["mean"] = nb::tuple(nb::cast(data.standardization.mean));
  result["stddev"] = nb::tuple(nb::cast(data.standardization.stddev));
  result["missing_values"] = data.missing_values;
  result["height"] = data.height;
  result["width"] = data.width;
  result["column_names"] = nb::cast(data.column_names);
  result["condition_columns"] = data.condition_columns;
  result["condition_classes"] = data.condition_classes;
  result["class_names"] = nb::cast(data.class_names);
  return nb::make_tuple(metadata, result);
}

std::string describe_rows(const nb::object& rows, const nb::dict& values,
                          const std::vector<std::string>& column_names, std::int64_t condition_columns,
                          int condition_classes, const std::vector<std::string>& class_names) {
  const auto columns = nb::cast<std::int64_t>(nb::object(rows.attr("shape"))[1]);
  const Tensor examples = rows_of(rows, columns, "describe");
  TrainingData data;
  data.source = "an array in Python";
  data.train_count = examples.shape()[0];
  data.bytes = examples.dtype() == DType::u8;
  DataDescription& d = data.description;
  d.height = 1;
  d.width = static_cast<int>(columns);
  d.column_names = column_names;
  d.condition_columns = condition_columns;
  d.condition_classes = condition_classes;
  d.class_names = class_names;
  d.values = {.kind = value_kind(field<std::string>(values, "kind")),
              .low = field<double>(values, "low"),
              .high = field<double>(values, "high"),
              .scaled = field<bool>(values, "scaled")};
  d.standardization = {.mean = field<std::vector<double>>(values, "mean"),
                       .stddev = field<std::vector<double>>(values, "stddev")};
  d.missing_values = field<bool>(values, "missing_values");
  Dataset set;
  set.height = d.height;
  set.width = d.width;
  set.examples = examples;
  const LibraryCall call;
  data.fingerprint = fingerprint_text(set, d);
  return data_json(data);
}

void check_columns(const nb::object& rows, const std::string& column_types) {
  const auto columns = nb::cast<std::int64_t>(nb::object(rows.attr("shape"))[1]);
  const Tensor values = rows_of(rows, columns, "VAE");
  const LibraryCall call;
  const ColumnRules rules(column_types, "VAE");
  // The likelihood refuses types for another number of columns.
  if (rules.columns() == columns)
    rules.check_rows(
        values.to(Device::cpu()), [](std::int64_t row) { return row; }, "VAE");
}

}  // namespace gpuvae::python
