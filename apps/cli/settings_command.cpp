// The command, the flags that only commands read, and the end of the help.
#include <fmt/format.h>

#include <filesystem>

#include "apps/cli/command_line.h"
#include "apps/cli/settings.h"

namespace gpuvae::apps {
namespace {

// Each command with what it does.
const std::vector<std::pair<std::string, std::string>> kCommands = {
    {"train", "train, continue an interrupted run, or load a finished one; write all pictures"},
    {"eval", "measure ELBO, KL per dimension, bits per dimension and collapse; see --importance-samples"},
    {"encode", "write the latent codes of images as CSV or NPY"},
    {"decode", "decode the latent codes given by --z or --input"},
    {"reconstruct", "encode images and decode their codes"},
    {"sample", "decode codes drawn from the prior"},
    {"manifold", "draw the grids of --manifold"},
    {"explore", "write explorer.html, which decodes the point under the pointer"},
    {"export", "write the encoder and the decoder for other programs; see --format"},
    {"rerun", "repeat a finished run and say whether the weights have the same bits"},
    {"sweep", "train several models side by side: all values of --grid with all of --seeds"}};

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& [name, description] : kCommands) names.push_back(name);
  return names;
}

std::string file_mistake(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) ? "" : "expected a file, got " + path;
}

}  // namespace

std::vector<Setting> command_settings(Command& c) {
  Binding command = one_of(c.name, command_names());
  command.type = "COMMAND";
  return {
      {"command", command,
       "what to do; see Commands below. Every command but train and sweep needs a trained model in the run "
       "folder (--out), and starts from the settings of that folder"},
      {"folder", text(c.folder, "FOLDER"), "run folder of the command, as an alternative to --out"},
      {"--config", text(c.config_file, "FILE", file_mistake),
       "file of settings, which other flags override; the config.toml of a run folder repeats that run"},
      {"--retrain", yes(c.retrain),
       "train from the start before the command, even if the run folder (--out) holds a run; that run stays "
       "until the new one has finished an epoch, and then moves to the folder previous/ in the run folder"},
      {"--resume", yes(c.resume),
       "continue the interrupted run of the run folder (--out) with the folder's settings, as the same "
       "command line "
       "would do again; an error if nothing was saved"},
      {"--set", one_of(c.set, {"train", "validation", "test"}),
       "set of images that the commands eval, encode and reconstruct work on"},
      {"--images", whole_number(c.images, at_least(0)),
       "number of images that the commands eval, encode and reconstruct work on, counted from the first; 0 "
       "uses all"},
      {"--impute", yes(c.impute),
       "replace only the missing values in the rows that the command reconstruct writes (--missing-values)"},
      {"--importance-samples", whole_number(c.importance_samples, at_least(0)),
       "number of draws of z per image with which the command eval estimates -log p(x); 0 makes no estimate"},
      {"--per-row", text(c.per_row, "FILE"),
       "file (.csv or .npy) to which the command eval also writes the scores of each image or row in nats: "
       "ELBO, reconstruction and KL; with --importance-samples also the bound on log p(x) and its effective "
       "sample size"},
      {"--input", text(c.input, "FILE"),
       "file of other images or rows for the commands encode and reconstruct, or of latent codes (.csv or "
       ".npy) for "
       "the command decode"},
      {"--z", text(c.z, "NUMBERS"),
       "latent codes for the command decode, with commas between numbers and semicolons between codes, such "
       "as "
       "0.5,-1;0,2"},
      {"--class", text(c.class_name, "NAME"),
       "class, by name or by number in the order of the names, that the commands decode, sample and manifold "
       "decode with a model of "
       "--condition label (default: all classes in turn; decode needs it). With --input, also the class of "
       "all images or rows "
       "that the commands encode and reconstruct read (default: their labels)"},
      {"--given", text(c.given, "NUMBERS"),
       "values of the columns of --condition, separated by commas, with which the commands decode, sample "
       "and "
       "manifold decode (default: their means over the training data)"},
      {"--output", text(c.output, "FILE"),
       "file that the command writes; its ending (.csv, .npy, .png, .json, .html, .onnx or .h) chooses the "
       "format (default: a file in the run folder)"},
      {"--format", one_of(c.format, {"onnx", "cuda", "c"}),
       "format of the command export: onnx writes encoder.onnx and decoder.onnx to the run folder, or "
       "NAME-encoder.onnx and NAME-decoder.onnx for --output NAME.onnx; cuda and c write a header, model.h, "
       "with "
       "functions that encode and decode one row, for nvcc and NVRTC (and C and C++ elsewhere), or for C99 "
       "and C++"},
      {"--grid", texts(c.grid, "NAME=VALUES"),
       "settings that the command sweep varies, as in --grid beta=0.5,1,2 latent=2,10, where NAME is a flag "
       "without its dashes; it trains every combination; semicolons separate values that contain commas, as "
       "in "
       "'hidden=256;512,256'"},
      {"--seeds", text(c.seeds, "SEEDS"),
       "seeds with which the command sweep trains each setting, such as 0..19 or 0,1,5 (default: --seed)"},
      {"--jobs", whole_number(c.jobs, between(0, 4096)),
       "number of runs of the command sweep at a time, each with --threads threads (there 1 by default); 0 "
       "means as many as there are processors for, and 1 on a GPU. With mpirun, each rank has as many"},
  };
}

std::string help_footer(const std::vector<Preset>& presets) {
  std::string text =
      "The value after the = of a flag is its default, which the chosen preset sets.\n"
      "--FLAG=false switches off a flag that takes no value.\n\n"
      "Commands:\n";
  for (const auto& [name, description] : kCommands) text += fmt::format("  {:<14} {}\n", name, description);
  text += "\nPresets:\n";
  for (const Preset& p : presets) text += fmt::format("  {:<14} {}\n", p.name, p.description);
  return text;
}

}  // namespace gpuvae::apps
