// What the ranks other than 0 do in a distributed run (mpirun): they train with rank 0 and write nothing.
#include "apps/cli/settings.h"
#include "apps/run/ranks.h"
#include "apps/run/session.h"
#include "apps/run/stop_signals.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

// How rank 0 tells the others where the run starts.
enum Start { kNoTraining, kFromTheBeginning, kFromCheckpoint, kFromPreviousCheckpoint };

}  // namespace

// Called by rank 0 before the first step. The others load the same checkpoint before the function returns,
// because rank 0 then replaces it.
void Session::announce_start(bool trains) const {
  Start start = kNoTraining;
  if (trains) start = kFromTheBeginning;
  if (trains && resumed_from_.filename() == kCheckpointFile) start = kFromCheckpoint;
  if (trains && resumed_from_.filename() == kEarlierCheckpointFile) start = kFromPreviousCheckpoint;
  of_rank_0(start);
  if (trains) of_rank_0(0);
}

void Session::check_agreement() const {
  std::vector<std::pair<std::string, std::string>> texts = {{"training set", facts_.fingerprint}};
  for (const ValueGroup& group : values_of(config_))
    for (const NamedValue& v : group.values)
      if (v.decides_weights) texts.emplace_back(v.flag, text_of(v.value));
  check_same_on_ranks("train", texts);
}

void Session::follow() {
  const Silence silence;
  load_data();
  check_agreement();
  build_model();
  make_trainer();
  const int start = of_rank_0(0);
  if (start == kNoTraining) return;
  if (start != kFromTheBeginning)
    trainer_->resume(
        restore_checkpoint(folder_ / (start == kFromCheckpoint ? kCheckpointFile : kEarlierCheckpointFile),
                           model_->parameters(), *optimizer_));
  of_rank_0(0);
  const StopSignals signals;
  trainer_->stop_when([] { return StopSignals::received() != 0; });
  while (!has_ended()) {
    trainer_->run_epoch();
    if (const int signal = largest_of_ranks(StopSignals::received()))
      throw Stopped(signal, "stopped with rank 0");
  }
}

}  // namespace gpuvae::apps
