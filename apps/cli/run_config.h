// All settings of a run. Flags and config.toml set them (settings.h), and presets give their starting values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gpuvae/train.h"
#include "src/optim/schedule_settings.h"
#include "src/vae/named_distributions.h"

namespace gpuvae::apps {

// The training and validation data.
struct DataSettings {
  std::string folder;  // of MNIST or Frey Face; empty: $GPUVAE_DATA_DIR, then data/
  std::string path;    // a file or folder of any supported kind, instead of the program's own data set
  std::string label_column;
  std::string variable;  // the matrix of a MATLAB file; empty: its only one
  Header header = Header::automatic;
  std::string columns;  // names separated by commas; empty: all
  bool standardize = false;
  std::string condition;     // "label", or names of columns separated by commas, or both; empty: none
  std::string library_size;  // column of a table with the library size of each row; empty: none
  std::string split_seed;    // of a shuffled split; empty: the order of the file
  std::string value_range;   // "LOW:HIGH"; empty: determined from the values
  double validation_fraction = 0.1;
  bool builtin = false;
  std::int64_t train_images = 0, validation_images = 0;  // 0: all
  std::string validation_set = "test";                   // or "rest": the training images left out
  Placement placement = Placement::automatic;            // of the examples, also those of --input
};

struct PictureSettings {
  std::string encode = "mean";  // or "sample": the code from q(z | x) in pictures and exports
  std::string manifold = "quantile:20:0.01:0.99";
  int samples = 100, reconstructions = 40, examples = 200;
  std::string latent_names;  // of the latent dimensions: "pose,humour"
  std::string sliders;       // "LOW:HIGH:STEP[:SCALE]"; empty: the range of the data
};

// How often a run saves a checkpoint: every so many seconds, or every so many epochs. The other field is 0.
struct CheckpointInterval {
  double seconds = 0;
  int epochs = 0;
};
// Reads "30s", "5min", "2h", "1epoch" or "10epochs". Returns nothing for any other text.
std::optional<CheckpointInterval> parse_checkpoint_interval(const std::string& text);

// The function that gives the mean of p(x | z) where x may be any number (--gaussian-mean).
enum class GaussianMean : std::uint8_t { automatic, sigmoid, identity };

struct RunConfig {
  std::string preset = "default";
  std::uint64_t seed = 0;  // of the model, the batches and the noise
  std::string device = "auto";
  int threads = 0;  // of the CPU backend; 0: all processors
  std::string out;  // empty: runs/<program>-<preset>
  int epochs = 3;
  std::int64_t log_every = 0;  // steps per row of steps.csv; 0: no such file
  std::string checkpoint_every = "30s";
  bool save_best = false;         // whether best.safetensors receives the model of the best epoch so far
  bool data_output_bias = false;  // whether the biases of the output start at the means of the data

  DataSettings data;
  VaeOptions model;  // without what vae_options() adds
  DistributionSettings distributions;
  GaussianMean gaussian_mean = GaussianMean::automatic;  // set_gaussian_mean() keeps `distributions` in step
  TrainOptions training;                                 // without what train_options() adds
  OptimizerOptions optimizer;
  ScheduleSettings schedule;
  PictureSettings pictures;

  // Sets the function, and that of `distributions` unless the data decide it (automatic).
  void set_gaussian_mean(GaussianMean mean);
  // Returns `model` with the number of features, the seed and new distributions.
  VaeOptions vae_options(std::int64_t features) const;
  // Returns `training` with the seed, the learning-rate schedule, and a report for every row of steps.csv.
  TrainOptions train_options(std::int64_t training_images) const;
  // Returns the schedule for all epochs, or an empty function if the learning rate is constant.
  LearningRateSchedule learning_rate_schedule(std::int64_t steps_per_epoch) const;
};

}  // namespace gpuvae::apps
