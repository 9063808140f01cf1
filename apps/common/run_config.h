// Everything that decides a run: presets, flags, and the TOML file of a run folder.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/train.h"

namespace gpuvae::apps {

struct RunConfig {
  std::string preset = "default";
  std::uint64_t seed = 0;
  std::string device = "auto";
  std::string out;       // empty: runs/<program>-<preset>
  std::string data_dir;  // empty: $GPUVAE_DATA_DIR, then data/
  bool builtin_data = false;
  std::int64_t train_images = 0, validation_images = 0;  // 0: all

  int epochs = 3;
  std::int64_t batch_size = 100;
  bool drop_last = false, no_shuffle = false;
  Binarize binarize = Binarize::none;
  double threshold = 0.5;

  std::vector<std::int64_t> hidden = {256}, decoder_hidden;
  std::int64_t latent = 2;
  Activation activation = Activation::relu;
  PosteriorScale posterior_scale = PosteriorScale::log_variance;
  std::string likelihood = "bernoulli";
  double log_variance_low = -5, log_variance_high = 5;
  WeightInit init = WeightInit::glorot_uniform;
  double init_std = 0.01, bias_std = 0;

  double noise_std = 1;
  bool frozen_noise = false, pixel_mean = false;
  double beta = 1;

  OptimizerOptions optimizer;

  int manifold = 20;            // images a side
  double manifold_edge = 0.01;  // the grid spans the prior's quantiles from here to 1 minus this
  int samples = 100, reconstructions = 40;

  VaeOptions model(std::int64_t pixels) const;
  TrainOptions training() const;
};

struct Preset {
  std::string name, description;
  RunConfig config;
};

// What a command line asks for.
struct CommandLine {
  RunConfig config;
  int exit_code = -1;  // 0 or more: the program is done (help was shown, or an error printed)
};

// Flags override the TOML file given by --config, which overrides the preset. Prints help and errors itself.
CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets);

// As TOML; --config reads it back.
std::string to_toml(const RunConfig& config, const std::string& program);

}  // namespace gpuvae::apps
