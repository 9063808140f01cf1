// The command line of a program, and the configuration files that it may name.
#pragma once

#include <map>

#include "apps/cli/presets.h"

namespace gpuvae::apps {

// The command, and the flags that are not part of the configuration.
struct Command {
  std::string name = "train";
  bool retrain = false;
  bool resume = false;      // continues the run of the folder with its own settings
  bool impute = false;      // of reconstruct: replaces only missing values
  std::string folder;       // the run folder, if it was given without --out
  std::string config_file;  // empty: none
  std::string input, output, z;
  std::string class_name, given;        // the condition of decoded examples; empty: not given
  std::string format;                   // of export: onnx, cuda or c; empty: not given
  std::string set = "validation";       // images to work on: train, validation or test
  std::int64_t importance_samples = 0;  // of eval; 0: no importance-weighted estimate
  std::string per_row;                  // of eval: file of the scores of each image; empty: none
  std::int64_t images = 0;              // number of images to work on, counted from the first; 0: all
  std::vector<std::string> grid;        // of sweep: "beta=0.5,1"
  std::string seeds;                    // of sweep: "0..19"; empty: --seed
  int jobs = 0;                         // of sweep: runs at a time; 0: as many as processors
  std::string text;                     // the whole command line, quoted for a shell
};

struct CommandLine {
  RunConfig config;
  Command command;
  // @{
  // The texts of the flags, by flag: those of the command line, and those of the command line and of the
  // files from which it starts.
  std::map<std::string, std::string> given = {}, texts = {};
  // @}
  int exit_code = -1;      // 0 or more: the program ends (help was shown, or an error printed)
  std::string error = {};  // the error message that was printed
};

// Flags override the TOML file given by --config, which overrides the preset. Commands other than train, and
// --resume, start from the settings of the run folder, if it has a run. Prints help and errors itself.
CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets);

// The configuration that a run folder's config.toml holds. Throws Error.
RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets);
// Returns the configuration for texts by flag. `where` names the file of the texts in errors. Throws Error.
RunConfig config_of_texts(const std::map<std::string, std::string>& texts, const std::string& where,
                          const std::string& program, const std::vector<Preset>& presets);

}  // namespace gpuvae::apps
