// The settings of a model and of its training, as Python passes them: a dictionary whose keys are the names
// of the programs' flags, with underscores.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <set>
#include <string>

#include "gpuvae/train.h"
#include "src/distributions/exemplar_slot.h"
#include "src/optim/schedule_settings.h"

namespace gpuvae::python {

// Reads settings one by one.
class Settings {
 public:
  explicit Settings(nanobind::dict values) : values_(std::move(values)) {}

  // @{
  // Returns the setting `key`, or `missing` if the dictionary lacks it. Throws Error if it has another type.
  std::int64_t whole(const char* key, std::int64_t missing);
  std::uint64_t seed(const char* key);
  double number(const char* key, double missing);
  bool flag(const char* key, bool missing);
  std::string text(const char* key, const char* missing);
  std::vector<std::int64_t> widths(const char* key);
  // @}
  // Returns the enumerator whose name is the setting `key`. `last` is the last one of the enumeration.
  template <class E>
  E choice(const char* key, E missing, E last);

  // Throws Error that lists the settings that nothing has read.
  void check_all_used() const;

 private:
  template <class T>
  T get(const char* key, const T& missing, const char* expected);

  nanobind::dict values_;
  std::set<std::string> used_;
};

// The description of a model.
struct ModelSettings {
  VaeOptions vae;
  std::shared_ptr<ExemplarSlot> exemplars;  // of the prior exemplar; else null
};
// Returns the description of a model with `features` values per row.
ModelSettings model_settings(Settings& settings, std::int64_t features);
// The settings of a training run.
OptimizerOptions optimizer_options(Settings& settings);
TrainOptions train_options(Settings& settings);
ScheduleSettings schedule_settings(Settings& settings);
// How rows become examples of a training step.
BatchOptions batch_options(Settings& settings);
// Whether the output biases start at the means of the data.
bool starts_at_data(Settings& settings);

}  // namespace gpuvae::python
