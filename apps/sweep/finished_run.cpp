#include "apps/sweep/finished_run.h"

#include <algorithm>

#include "apps/sweep/plan.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

// Whether a folder's name is the one that a sweep gives a run of this configuration.
bool has_name_of_sweep(const std::string& name, const RunConfig& config) {
  GridPoint point;
  for (const std::string& key : keys_of_name(name)) point.emplace_back(key, value_of(config, key));
  return run_name(point, config.seed) == name;
}

}  // namespace

std::optional<FinishedRun> read_finished_run(const fs::path& folder, const Program& program) try {
  std::error_code ignored;
  const fs::path model = folder / kModelFile, config = folder / kConfigFile;
  if (!fs::exists(model, ignored) || !fs::exists(config, ignored)) return std::nullopt;
  FinishedRun run{
      folder.filename().string(), read_config(config.string(), program.name, program.presets), {}, {}};
  const std::optional<RunDescription> description = read_description(model, program.name);
  const auto metadata = io::read_safetensors_metadata(model);
  if (!description || !is_finished(metadata, run.config.epochs)) return std::nullopt;
  const RunConfig of_model =
      config_of_texts(description->settings, model.string(), program.name, program.presets);
  if (training_difference(of_model, run.config)) return std::nullopt;
  run.data = description->data;
  run.epochs = read_metrics(folder / kMetricsFile);
  if (run.epochs.size() != static_cast<std::size_t>(epochs_of(metadata)) || run.epochs.empty())
    return std::nullopt;
  run.best_epoch = std::min(best_epoch_of(metadata), static_cast<int>(run.epochs.size()));
  return run;
} catch (const Error&) {
  return std::nullopt;
}

std::vector<FinishedRun> finished_runs(const fs::path& sweep, const Program& program) {
  std::vector<FinishedRun> runs;
  std::error_code error;
  for (fs::directory_iterator at(sweep, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("seed=") && keys_of_name(name).empty()) continue;
    std::optional<FinishedRun> run = read_finished_run(at->path(), program);
    if (run && has_name_of_sweep(name, run->config)) runs.push_back(std::move(*run));
  }
  std::ranges::sort(runs, {}, &FinishedRun::name);
  return runs;
}

std::string value_of(const RunConfig& config, const std::string& key) {
  for (const ValueGroup& group : values_of(config))
    for (const NamedValue& v : group.values)
      if (v.flag == "--" + key) return text_of(v.value);
  return "";
}

}  // namespace gpuvae::apps
