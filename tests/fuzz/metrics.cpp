// metrics.csv: epochs that are accepted can be written and read again.
#include "apps/run/metrics_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuvae;
  std::vector<EpochResult> epochs;
  const auto path = fuzz::input_file(std::span(data, size), "metrics.csv");
  if (!fuzz::accepts([&] { epochs = apps::read_metrics(path); })) return 0;
  for (const EpochResult& epoch : epochs) fuzz::require(epoch.epoch >= 0, "epochs are not negative");
  const auto copy = fuzz::input_file("", "copy.csv");
  const apps::MetricsFile written(copy, TrainOptions{}, epochs);
  const std::vector<EpochResult> again = apps::read_metrics(copy);
  fuzz::require(again.size() == epochs.size(), "written epochs are read back");
  for (std::size_t i = 0; i < epochs.size(); ++i)
    fuzz::require(again[i].epoch == epochs[i].epoch, "written epochs keep their numbers");
  return 0;
}
