// What the folder of a session holds, and whether it is the run of the session's configuration.
#include <cstdio>

#include "apps/cli/config_file.h"
#include "apps/run/run_files.h"
#include "apps/run/session.h"
#include "kernels/check.h"
#include "src/io/safetensors.h"

namespace gpuvae::apps {
namespace {

namespace fs = std::filesystem;

// Whether a version that wrote no description of the data made the file.
bool is_of_version_1(const std::map<std::string, std::string>& metadata) {
  return metadata.contains("epochs") && !metadata.contains("format_version");
}

// A damaged checkpoint is ignored here. resume() reports it and uses the checkpoint before it.
std::optional<RunDescription> description_if_sound(const fs::path& checkpoint,
                                                   const std::string& program) try {
  return is_there(checkpoint) ? read_description(checkpoint, program) : std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace

std::optional<RunDescription> Session::description_beside_model() const {
  std::optional<RunDescription> run = description_if_sound(folder_ / kCheckpointFile, program_.name);
  return run ? run : description_if_sound(folder_ / kEarlierCheckpointFile, program_.name);
}

std::optional<Session::HeldRun> Session::held_run() const {
  const fs::path model = folder_ / kModelFile, config = folder_ / kConfigFile;
  std::optional<RunDescription> run;
  if (is_there(model)) run = read_description(model, program_.name);
  if (!run) run = description_beside_model();
  std::optional<RunConfig> of_file;
  if (is_there(config)) of_file = read_config(config.string(), program_.name, program_.presets);
  if (run)
    return HeldRun{config_of_texts(run->settings, model.string(), program_.name, program_.presets),
                   run->data.fingerprint, of_file};
  if (!of_file) return std::nullopt;
  return HeldRun{*of_file, fingerprint_in(config), std::nullopt};
}

void Session::check_same_run(const std::string& command, const HeldRun& held) const {
  const bool train = command == "train";
  RunConfig mine = config_;
  if (!train) {  // these flags also describe the file of --input
    mine.data.header = held.config.data.header;
    mine.data.variable = held.config.data.variable;
  }
  const std::optional<Difference> d =
      train ? training_difference(held.config, mine) : first_difference(held.config, mine);
  if (d)
    throw Error(command, fmt::format("{0} holds a run with {1} {2}, got {1} {3}: {4}, or add --retrain",
                                     folder_.string(), d->flag, d->a, d->b,
                                     train ? "choose another folder with --out" : "give the same settings"));
  if (!held.fingerprint.empty() && !facts_.fingerprint.empty() && held.fingerprint != facts_.fingerprint)
    throw Error(command, fmt::format("{} holds a run on another training set (fingerprint {}, got {} of {}): "
                                     "choose another folder with --out, or add --retrain",
                                     folder_.string(), held.fingerprint, facts_.fingerprint, facts_.source));
}

// Training would ignore a changed config.toml and write it anew.
void Session::check_unchanged_config(const HeldRun& held) const {
  const auto d = held.of_file ? training_difference(held.config, *held.of_file) : std::nullopt;
  if (d)
    fail(file_error("train"),
         "{0} was changed: it says {1} {3}, but the run was trained with {1} {2}: restore this setting, "
         "choose another folder with --out, or add --retrain",
         (folder_ / kConfigFile).string(), d->flag, d->a, d->b);
}

// Older versions, and programs that drop the metadata, do not keep how the data were read. It is then decided
// anew from the data of today.
void Session::say_new_description(const HeldRun& held) const {
  const fs::path model = folder_ / kModelFile;
  if (!held.fingerprint.empty() || !(is_there(model) || is_there(folder_ / kCheckpointFile))) return;
  const bool kept = !is_there(model) || is_of_version_1(io::read_safetensors_metadata(model));
  std::fprintf(stderr,
               "note    %s does not say how its training data were read: this was decided anew from %s "
               "(fingerprint %s)%s\n",
               folder_.c_str(), facts_.source.c_str(), facts_.fingerprint.c_str(),
               kept ? " and is kept in the model from now on" : "");
}

void Session::check_held(const std::string& command, const HeldRun& held) const {
  check_same_run(command, held);
  check_unchanged_config(held);
  say_new_description(held);
}

// The model of another program stays as it is, because it may have changed the weights.
void Session::keep_description() const {
  const fs::path file = folder_ / kModelFile;
  const auto metadata = io::read_safetensors_metadata(file);
  if (is_of_version_1(metadata)) save_model(epochs_of(metadata), Durability::power_loss);
}

// Throws Error if another program changed the model. Training continues from the checkpoint and would discard
// this change.
void Session::check_unchanged_model() const {
  const fs::path file = folder_ / kModelFile;
  if (!is_there(file)) return;
  const auto metadata = io::read_safetensors_metadata(file);
  check(is_of_version_1(metadata) || metadata.contains(io::kChecksumKey), file_error("resume"),
        "{} was changed by another program, and training would continue from {} without that change: move "
        "one of them away, or add --retrain",
        file.string(), (folder_ / kCheckpointFile).string());
}

}  // namespace gpuvae::apps
