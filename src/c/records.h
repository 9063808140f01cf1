// The objects behind the handles.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "src/c/arrays.h"
#include "src/c/condition.h"
#include "src/c/handles.h"
#include "src/c/model_file.h"

namespace gpuvae::c {

struct ModelRecord {
  Vae vae;
  DistributionSettings distributions;
  ExampleRules rules;
  std::map<std::string, std::string> metadata = {};  // of the file from which it was loaded
  std::optional<DataDescription> described = {};     // the training data in these metadata
  std::optional<TrainingData> trained = {};          // on what a trainer of this process trained it
  int epochs = 0;  // finished epochs, those before loading included; -1: unknown
  std::shared_ptr<ExemplarSlot> exemplars = {};  // of the prior exemplar; else null
  BatchOptions exemplar_data = {};               // how exemplars become examples
  // The number of trainers of the model.
  std::shared_ptr<std::atomic<int>> trainers = std::make_shared<std::atomic<int>>(0);
};

// Returns the model of a handle. Throws Error if there is none.
inline std::shared_ptr<ModelRecord> model_of(const gpuvae_model* handle, const char* operation) {
  return std::static_pointer_cast<ModelRecord>(find_handle(HandleKind::model, handle, operation));
}

// Returns examples x with their condition as rows [x, y] on the device of the model.
inline Dataset examples_on_device(const gpuvae_array* x, const gpuvae_array* condition,
                                  const ModelRecord& model, Binarize binarize, const char* operation) {
  const Dataset examples = examples_of(x, model.rules, binarize, operation);
  return with_condition(examples, condition, model.rules.condition, binarize, operation)
      .to(model.vae.device());
}

// Throws Error if a pointer to a result is null.
inline void check_result(const void* pointer, const char* operation) {
  check(pointer != nullptr, operation, "expected a pointer to the result, got NULL");
}
// Returns a path. Throws Error if it is null or empty.
inline const char* path_of(const char* path, const char* operation) {
  check(path != nullptr && *path != '\0', operation, "expected a path, got {}",
        path ? "an empty text" : "NULL");
  return path;
}

}  // namespace gpuvae::c
