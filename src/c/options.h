// Converts the option structs of gpuvae/c.h to those of the C++ interface.
#pragma once

#include <string>
#include <string_view>

#include "gpuvae/c.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/c/arrays.h"
#include "src/io/printable.h"
#include "src/optim/schedule_settings.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::c {

// Returns the enumerator from 0 to `last` whose name() is `text`. Throws Error that lists the names.
template <class E>
E enumerator(std::string_view text, E last, const char* what, Origin origin) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<E>(i);
    if (name(value) == text) return value;
    names += std::string(i == 0 ? "" : ", ").append(name(value));
  }
  fail(origin, "expected {} as {}, got {}", names, what, io::printable(text));
}

gpuvae_model_options default_model_options();
gpuvae_train_options default_train_options();
gpuvae_evaluate_options default_evaluate_options();

// A model as gpuvae_model_options describe it.
struct ModelDescription {
  VaeOptions vae;
  DistributionSettings distributions;
  std::string device;
  int height = 1, width = 1;
  ConditionRules condition;
  std::shared_ptr<ExemplarSlot> exemplars;  // of the prior exemplar; else null
};
// Throws Error for a value out of range.
ModelDescription describe_model(const gpuvae_model_options* given, const char* operation);

// A trainer's settings.
struct TrainerSettings {
  TrainOptions train;
  OptimizerOptions optimizer;
  bool data_output_bias = false;
  ScheduleSettings schedule;
  int schedule_epochs = 0;
  // @{
  // The arrays of the caller, or null.
  const gpuvae_array* condition = nullptr;
  const gpuvae_array* validation_condition = nullptr;
  // @}
};
TrainerSettings trainer_settings(const gpuvae_train_options* given, const char* operation);

struct EvaluationSettings {
  EvaluationOptions evaluation;
  std::int64_t samples = 0;
  const gpuvae_array* condition = nullptr;  // the array of the caller, or null
};
EvaluationSettings evaluation_settings(const gpuvae_evaluate_options* given, const char* operation);

}  // namespace gpuvae::c
