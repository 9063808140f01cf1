#include "apps/program/check_command.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "apps/program/export.h"
#include "apps/program/latent_file.h"
#include "apps/run/run_files.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

void check_ending(const fs::path& path, const std::vector<std::string>& endings) {
  const std::string ending = path.extension().string();
  check(std::find(endings.begin(), endings.end(), ending) != endings.end(), "write",
        "{}: expected a file ending in {}", path.string(), fmt::join(endings, " or "));
}

// The flags that a command accepts in addition to the settings of the run, and the extensions of its output
// file.
struct Usage {
  std::string name;
  bool images, input, output;
  std::vector<std::string> endings;
};
const Usage kUsages[] = {{"train", false, false, false, {}},
                         {"eval", true, false, true, {".json"}},
                         {"encode", true, true, true, {".csv", ".npy"}},
                         {"decode", false, true, true, {".png", ".csv", ".npy"}},
                         {"reconstruct", true, true, true, {".png", ".csv", ".npy"}},
                         {"sample", false, false, true, {".png", ".csv", ".npy"}},
                         {"manifold", false, false, false, {}},
                         {"explore", false, false, true, {".html"}},
                         {"export", false, false, true, {".onnx", ".h", ".hpp", ".cuh"}},
                         {"rerun", false, false, false, {}},
                         {"sweep", false, false, false, {}}};

// Refuses an output file that would replace the input, the training data or what a run needs to continue.
void check_output(const fs::path& output, const Command& c, const RunConfig& config) {
  std::error_code ignored;
  const fs::path folder = config.out;
  const auto refuse = [&](const fs::path& file, const std::string& what) {
    check(file.empty() || !fs::equivalent(output, file, ignored), "write", "{}: expected a new file, got {}",
          output.string(), what);
  };
  refuse(c.input, "the file of --input");
  refuse(config.data.path, "the data of the run");
  for (const char* name : {kModelFile, kCheckpointFile, kEarlierCheckpointFile, kBestFile, kConfigFile,
                           kMetricsFile, kStepsFile})
    refuse(folder / name, fmt::format("a file that the run in {} needs", folder.string()));
}

}  // namespace

void check_command(const Command& c, const RunConfig& config) {
  const auto usage =
      std::find_if(std::begin(kUsages), std::end(kUsages), [&](auto& u) { return u.name == c.name; });
  const auto refuse = [&](bool given, bool taken, const char* flag) {
    check(!given || taken, c.name, "this command does not take {}", flag);
  };
  const Command plain;
  refuse(c.set != plain.set, usage->images, "--set");
  refuse(c.images != plain.images, usage->images, "--images");
  refuse(!c.input.empty(), usage->input, "--input");
  refuse(!c.output.empty(), usage->output, "--output");
  refuse(!c.z.empty(), c.name == "decode", "--z");
  const bool decodes = c.name == "decode" || c.name == "sample" || c.name == "manifold";
  const bool encodes_input = (c.name == "encode" || c.name == "reconstruct") && !c.input.empty();
  check(c.class_name.empty() || decodes || encodes_input, c.name, "this command does not take --class{}",
        c.name == "encode" || c.name == "reconstruct" ? " without --input" : "");
  refuse(!c.given.empty(), decodes, "--given");
  refuse(c.importance_samples != plain.importance_samples, c.name == "eval", "--importance-samples");
  refuse(!c.per_row.empty(), c.name == "eval", "--per-row");
  refuse(!c.format.empty(), c.name == "export", "--format");
  refuse(c.resume, c.name == "train", "--resume");
  refuse(c.impute, c.name == "reconstruct", "--impute");
  refuse(c.grid != plain.grid, c.name == "sweep", "--grid");
  refuse(c.seeds != plain.seeds, c.name == "sweep", "--seeds");
  refuse(c.jobs != plain.jobs, c.name == "sweep", "--jobs");
  check(!c.resume || !c.retrain, c.name, "expected either --resume or --retrain, got both");
  if (c.name == "export") check_export(c);
  if (!c.output.empty()) {
    check_ending(c.output, usage->endings);
    check_output(c.output, c, config);
  }
  if (!c.per_row.empty()) {
    check_ending(c.per_row, {".csv", ".npy"});
    check_output(c.per_row, c, config);
  }
  if (c.name != "decode") return;
  check(c.z.empty() || c.input.empty(), "decode", "expected either --z or --input, got both");
  if (c.input.empty())
    parse_codes(c.z, config.model.latent);
  else
    read_codes(c.input, config.model.latent);
}

}  // namespace gpuvae::apps
