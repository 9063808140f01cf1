// Models of the C interface, and the descriptions of models in their files. The metadata are those of the
// programs' model files, so that each side reads what the other one writes.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "src/c/options.h"
#include "src/train/model_file.h"

namespace gpuvae::c {

// What a model file says about its model.
struct FileDescription {
  VaeOptions vae;
  DistributionSettings distributions;
  std::optional<DataDescription> data;  // of the training data; nothing if there were none
  int height = 1, width = 1;            // of an example, without the condition
  ConditionRules condition;
  BatchOptions exemplar_data;                   // how exemplars become examples
  std::shared_ptr<ExemplarSlot> exemplars;      // of the prior exemplar; else null
  int epochs = -1;                              // finished epochs; -1: unknown
  std::map<std::string, std::string> metadata;  // the whole metadata
};

// Reads the description of a model file. Throws Error if the file is not a model, lacks a description or was
// written by a newer version.
FileDescription read_description(const std::filesystem::path& file);

// What save_model writes besides the parameters.
struct SavedModel {
  const Vae& vae;
  const DistributionSettings& distributions;
  int height, width;  // of an example, without the condition
  const ConditionRules& condition;
  const std::optional<TrainingData>& data;             // of training by this process
  const std::map<std::string, std::string>& metadata;  // of the file from which the model was loaded
  int epochs;
  const BatchOptions& exemplar_data;  // how exemplars become examples
};
// Writes a model file that read_description and the programs read.
void save_model(const std::filesystem::path& file, const SavedModel& model);

}  // namespace gpuvae::c
