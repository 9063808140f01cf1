// The metadata of model files as Python values. Python writes and reads the settings; the description of the
// data is that of src/train/model_file.h.
#pragma once

#include <nanobind/nanobind.h>

#include <filesystem>
#include <string>
#include <vector>

namespace gpuvae::python {

// Returns the metadata of a model file, and a dictionary of what they say about the training data: height,
// width and column_names, and the arguments of the class Values. Throws Error that names the file if the file
// is damaged, does not describe its model, or was written by a newer version.
nanobind::tuple read_description(const std::filesystem::path& path);

// Returns the description of training rows [count, features] as JSON. `values` has the fields of the class
// Values; `column_names` is empty or has one name per feature.
std::string describe_rows(const nanobind::object& rows, const nanobind::dict& values,
                          const std::vector<std::string>& column_names, std::int64_t condition_columns,
                          int condition_classes, const std::vector<std::string>& class_names);

// Throws Error for rows [count, columns], in the units of the model, with a value that the type of its column
// (settings["column_types"]) does not allow.
void check_columns(const nanobind::object& rows, const std::string& column_types);

}  // namespace gpuvae::python
