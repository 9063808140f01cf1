// config.toml: a configuration that is accepted can be written and read again.
#include "apps/cli/command_line.h"
#include "apps/cli/config_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuvae;
  static const std::vector<apps::Preset> presets = apps::file_presets();
  const std::string path = fuzz::input_file(std::span(data, size), "config.toml").string();
  apps::RunConfig config;
  if (!fuzz::accepts([&] { config = apps::read_config(path, "vae", presets); })) return 0;
  const std::string text = apps::to_toml(config, "vae");
  const apps::RunConfig again =
      apps::read_config(fuzz::input_file(text, "copy.toml").string(), "vae", presets);
  fuzz::require(apps::to_toml(again, "vae") == text, "a written configuration is read back");
  return 0;
}
