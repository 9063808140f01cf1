// The objects behind the handles.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "src/c/arrays.h"
#include "src/c/handles.h"
#include "src/c/model_file.h"

namespace gpuvae::c {

struct ModelRecord {
  Vae vae;
  DistributionSettings distributions;
  ExampleRules rules;
  std::map<std::string, std::string> metadata = {};  // of the file from which it was loaded
  std::optional<TrainingData> trained = {};          // on what a trainer of this process trained it
  int epochs = 0;  // finished epochs, those before loading included; -1: unknown
};

// Returns the model of a handle. Throws Error if there is none.
inline std::shared_ptr<ModelRecord> model_of(const gpuvae_model* handle, const char* operation) {
  return std::static_pointer_cast<ModelRecord>(find_handle(HandleKind::model, handle, operation));
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
