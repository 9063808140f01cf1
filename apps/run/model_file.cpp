#include "apps/run/model_file.h"

#include <algorithm>

#include "apps/cli/config_file.h"
#include "gpuvae/version.h"
#include "kernels/check.h"
#include "src/io/printable.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {

TrainingData facts_of(const Dataset& train, const Dataset& validation, const Split& split) {
  TrainingData data{.description = split.description,
                    .source = split.source,
                    .train_count = train.count(),
                    .validation_count = validation.count(),
                    .bytes = train.dtype() == DType::u8,
                    .labelled = !train.labels.empty(),
                    .fingerprint = fingerprint_text(train, split.description)};
  data.description.height = train.height;
  data.description.width = train.width;
  return data;
}

std::map<std::string, std::string> metadata_of(const RunConfig& config, const TrainingData& data,
                                               const std::string& program) {
  return {{"program", program},
          {"program_version", version()},
          {"preset", config.preset},
          {kSettingsKey, settings_json(config)},
          {kDataKey, data_json(data)}};
}

std::optional<RunDescription> read_description(const std::filesystem::path& path,
                                               const std::string& program) {
  const auto metadata = io::read_safetensors_metadata(path);
  const std::string where = path.string();
  check_model_format(metadata, where);
  const auto settings = metadata.find(kSettingsKey), data = metadata.find(kDataKey);
  if (settings == metadata.end() || data == metadata.end()) return std::nullopt;
  const auto made_by = metadata.find("program");
  check(made_by != metadata.end() && made_by->second == program, file_error("load"),
        "{}: expected a model of {}, got one of {}", where, program,
        made_by == metadata.end() ? "an unknown program" : io::printable(made_by->second));
  return RunDescription{texts_of_settings_json(settings->second, where), read_data_json(data->second, where)};
}

bool is_finished(const std::map<std::string, std::string>& metadata, int epochs) {
  const int done = epochs_of(metadata);
  return done == epochs || (done >= 0 && done < epochs && metadata.contains(kStoppedKey));
}

int best_epoch_of(const std::map<std::string, std::string>& metadata) {
  return std::max(0, whole_of(metadata, kBestEpochKey));
}

std::string processes_of(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find(kProcessesKey);
  if (found == metadata.end()) return "1";
  check(!found->second.empty() && found->second.find_first_not_of("0123456789,") == std::string::npos,
        file_error("load"), "expected numbers of processes in the metadata, got {}",
        io::printable(found->second));
  return found->second;
}

}  // namespace gpuvae::apps
