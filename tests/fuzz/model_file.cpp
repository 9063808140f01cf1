// The description of a run in a model's metadata: the input has one line "key=value" per metadata entry. A
// description that is accepted is consistent and finite, and its configuration can be written and read again.
#include <cmath>

#include "apps/cli/command_line.h"
#include "apps/cli/config_file.h"
#include "apps/run/model_file.h"
#include "src/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpuvae;

std::map<std::string, std::string> metadata_in(std::string_view text) {
  std::map<std::string, std::string> metadata;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = std::min(line.find('='), line.size());
    metadata[std::string(line.substr(0, equals))] = line.substr(std::min(line.size(), equals + 1));
  }
  return metadata;
}

void check_data(const TrainingData& data) {
  const DataDescription& d = data.description;
  fuzz::require(d.height >= 1 && d.width >= 1, "data have a height and a width");
  fuzz::require(data.train_count >= 0 && data.validation_count >= 0, "numbers of examples are not negative");
  fuzz::require(std::isfinite(d.values.low) && std::isfinite(d.values.high) && d.values.low <= d.values.high,
                "a range is finite and in order");
  const auto features = static_cast<std::uint64_t>(d.height) * static_cast<std::uint64_t>(d.width);
  const Standardization& s = d.standardization;
  fuzz::require(s.mean.size() == s.stddev.size() && (s.empty() || s.mean.size() == features),
                "each column has a mean and a standard deviation");
  for (std::size_t c = 0; c < s.mean.size(); ++c)
    fuzz::require(std::isfinite(s.mean[c]) && std::isfinite(s.stddev[c]) && s.stddev[c] >= 0,
                  "moments are finite and standard deviations are not negative");
  fuzz::require(d.column_names.empty() || d.column_names.size() == features, "each column has a name");
  fuzz::require(d.class_names.size() <= 256, "labels are bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  io::TensorFile file;
  file.metadata = metadata_in({reinterpret_cast<const char*>(data), size});
  const auto path = fuzz::input_file("", "model");
  if (!fuzz::accepts([&] { io::write_safetensors(path, file); })) return 0;
  std::optional<apps::RunDescription> run;
  if (!fuzz::accepts([&] { run = apps::read_description(path, "vae"); }) || !run) return 0;
  check_data(run->data);
  apps::RunConfig config;
  const auto presets = apps::file_presets();
  if (!fuzz::accepts([&] { config = apps::config_of_texts(run->settings, "model", "vae", presets); }))
    return 0;
  file.metadata = apps::metadata_of(config, run->data, "vae");
  io::write_safetensors(path, file);
  const auto again = apps::read_description(path, "vae");
  fuzz::require(again && !apps::first_difference(
                             apps::config_of_texts(again->settings, "model", "vae", presets), config),
                "a written configuration is read back");
  fuzz::require(apps::metadata_of(config, again->data, "vae") == file.metadata,
                "a written description is read back");
  return 0;
}
