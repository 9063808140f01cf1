// A run of a program: configuration, data, model and run folder. The model is trained, or loaded if the
// folder already holds the finished run.
#pragma once

#include <functional>
#include <optional>

#include "apps/cli/presets.h"
#include "gpuvae/evaluate.h"

namespace gpuvae::apps {

struct Program {
  std::string name, description;
  std::vector<Preset> presets;
  // Loads the program's default data set onto the CPU. If it falls back to the built-in synthetic data, it
  // sets `data.builtin`, so that the run is not mistaken for one on the original data.
  std::function<Split(RunConfig&)> load;
  std::string label_name = "class";  // singular noun for a label: "digit"
  std::string order_name = {};       // noun for an image of a film: "frame"; else empty
};

// The losses of finished epochs, as in metrics.csv.
struct History {
  std::vector<EpochResult> epochs;
};

class Session {
 public:
  // Loads the data and builds the model. Throws Error.
  Session(const Program& program, const RunConfig& config);

  // Loads the model if the folder holds a finished run with the same settings. Otherwise resumes a run that
  // was interrupted or that is to have more epochs, or else trains from the start, as it always does with
  // `retrain`. Training writes config.toml, metrics.csv, model.safetensors, checkpoint.safetensors and, with
  // --log-every, steps.csv.
  void train_or_reload(bool retrain);
  // Throws Error if the folder holds a run with other settings; the message names the first setting that
  // differs. Commands other than train call this first, unless --retrain is given, so that they replace no
  // run.
  void check_folder(const std::string& command) const;

  const RunConfig& config() const { return config_; }
  const Program& program() const { return program_; }
  const std::filesystem::path& folder() const { return folder_; }
  Vae& model() const { return *model_; }
  const Dataset& train() const { return train_; }
  const Dataset& validation() const { return validation_; }
  // Returns the first `most` images (0: all) of the set "train" or "validation". If there is no validation
  // set, "validation" means the training set.
  Dataset images(const std::string& set, std::int64_t most = 0) const;
  const History& history() const { return history_; }
  const std::string& source() const { return source_; }
  const DataDescription& description() const { return description_; }
  const Standardization& standardization() const { return description_.standardization; }
  // Names of a table's columns, and names of labels; or none.
  const std::vector<std::string>& column_names() const { return description_.column_names; }
  const std::vector<std::string>& class_names() const { return description_.class_names; }
  std::string unit() const;
  // Whether the examples are images, not rows of a table.
  bool has_pictures() const { return train_.height > 1; }
  EvaluationOptions evaluation() const;

 private:
  void announce() const;
  bool reload();
  void forget() const;
  void check_generator() const;
  int resume();
  void train_from(int epoch);
  EpochResult run_epoch(int epoch, class Progress& progress, class StepLog* log);
  void save_model(int epoch) const;
  void save_checkpoint(int epoch) const;

  Program program_;
  RunConfig config_;
  std::filesystem::path folder_;
  Device device_;
  Dataset train_, validation_;
  std::string source_;
  DataDescription description_;
  std::unique_ptr<Vae> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
  History history_;
};

}  // namespace gpuvae::apps
