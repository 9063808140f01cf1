// Learning-rate schedules by name, as flags and the settings of bindings give them.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/schedule.h"

namespace gpuvae {

// The learning-rate schedule. Durations are in epochs.
struct ScheduleSettings {
  std::string name = "constant";               // one of schedule_names()
  double warmup_epochs = 0;                    // over which the learning rate rises from 0
  double decay_epochs = 30, decay_rate = 0.1;  // of "step"
  double final_rate = 0;                       // of "cosine": the learning rate at the end of the run
};

// "constant", "step", "cosine" and "iwae".
const std::vector<std::string>& schedule_names();
// Whether the factors depend on the number of epochs of the run.
bool depends_on_epochs(const ScheduleSettings& settings);

// Returns the schedule of a run of `epochs` epochs whose largest learning rate is `learning_rate`, or an
// empty function if the learning rate is constant. Throws Error for an unknown name and for a number out of
// range.
LearningRateSchedule make_schedule(const ScheduleSettings& settings, double learning_rate, int epochs,
                                   std::int64_t steps_per_epoch);

}  // namespace gpuvae
