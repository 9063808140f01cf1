// Everything that decides a run: presets, flags, and the TOML file of a run folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gpuvae/train.h"

namespace gpuvae::apps {

struct RunConfig {
  std::string preset = "default";
  std::uint64_t seed = 0;
  std::string device = "auto";
  Executor executor = Executor::automatic;
  std::string out;  // empty: runs/<program>-<preset>
  int epochs = 3;
  std::int64_t log_every = 0;  // steps between rows of steps.csv; 0: none

  std::string data_dir;  // empty: $GPUVAE_DATA_DIR, then data/
  std::string data;      // a file or folder of any supported kind, instead of the program's own data set
  std::string label_column;
  bool standardize = false;
  double validation_fraction = 0.1;
  bool builtin_data = false;
  std::int64_t train_images = 0, validation_images = 0;  // 0: all
  std::string validation_set = "test";                   // or "rest": the training images left out
  std::int64_t batch_size = 100;
  bool drop_last = false, no_shuffle = false;
  Binarize binarize = Binarize::none;
  double threshold = 0.5;

  std::vector<std::int64_t> hidden = {256}, decoder_hidden;
  std::int64_t latent = 2;
  Activation activation = Activation::relu;
  Precision precision = Precision::f32;
  PosteriorScale posterior_scale = PosteriorScale::log_variance;
  std::string likelihood = "bernoulli";
  double log_variance_low = -5, log_variance_high = 5, sigma = 0.1;
  std::string gaussian_mean = "sigmoid";
  std::string prior = "normal";
  int prior_components = 50;
  WeightInit init = WeightInit::glorot_uniform;
  double init_std = 0.01, bias_std = 0;
  InitGenerator init_generator = InitGenerator::philox;

  double noise_std = 1;
  bool frozen_noise = false, pixel_mean = false, batch_sum = false;
  double beta = 1, warmup_epochs = 0, free_bits = 0;

  OptimizerOptions optimizer;
  std::string schedule = "constant";                 // or "step", "cosine": of the learning rate
  double lr_warmup = 0;                              // epochs over which the learning rate rises from 0
  double lr_decay_epochs = 30, lr_decay_rate = 0.1;  // of "step"

  std::string encode = "mean";  // or "sample": what is drawn and exported of q(z | x)
  std::string manifold = "quantile:20:0.01:0.99";
  int samples = 100, reconstructions = 40, examples = 200;
  std::string latent_names;  // of the explorer's sliders: "pose,humour"
  std::string sliders;       // "LOW:HIGH:STEP[:SCALE]"; empty: the range of the data

  VaeOptions model(std::int64_t features) const;
  TrainOptions training() const;
  // Of all epochs; none if the learning rate stays as it is.
  LearningRateSchedule learning_rate_schedule(std::int64_t steps_per_epoch) const;
};

// What a run does, and what only that command wants to know; not part of the configuration.
struct Command {
  std::string name = "train";
  bool retrain = false;
  std::string input, output, z;
  std::string set = "validation";       // whose images: train, validation
  std::int64_t importance_samples = 0;  // of eval; 0: no importance-weighted estimate
  std::int64_t images = 0;              // the first N only; 0: all
};

struct Preset {
  std::string name, description;
  RunConfig config;
};

// What a command line asks for.
struct CommandLine {
  RunConfig config;
  Command command;
  int exit_code = -1;      // 0 or more: the program is done (help was shown, or an error printed)
  std::string error = {};  // what was printed
};

// Flags override the TOML file given by --config, which overrides the preset. Commands other than train start
// from the config.toml of the run folder, if it has one. Prints help and errors itself.
CommandLine parse_command_line(int argc, char** argv, const std::string& program,
                               const std::string& description, const std::vector<Preset>& presets);

// The configuration that a run folder's config.toml holds. Throws Error.
RunConfig read_config(const std::string& path, const std::string& program,
                      const std::vector<Preset>& presets);

// As TOML; --config reads it back.
std::string to_toml(const RunConfig& config, const std::string& program);

// Whether both train the same model on the same data, but for the number of epochs. With the cosine schedule
// the number of epochs decides every step's learning rate, and has to be the same.
bool same_training(RunConfig a, RunConfig b);
// The first setting, the number of epochs among them, that makes two runs different: "key=value" of each;
// empty where there is none.
std::pair<std::string, std::string> first_difference(const RunConfig& a, const RunConfig& b);

}  // namespace gpuvae::apps
