// A run: its configuration, data, model and folder. It is trained, or loaded if the folder holds it already.
#pragma once

#include <functional>
#include <optional>

#include "apps/cli/presets.h"
#include "gpuvae/evaluate.h"

namespace gpuvae::apps {

struct Program {
  std::string name, description;
  std::vector<Preset> presets;
  // Loads the program's own data set onto the CPU. Sets `data.builtin` if it uses the built-in data, so that
  // a run is never mistaken for one on the original data.
  std::function<Split(RunConfig&)> load;
  std::string label_name = "class";  // noun for labels: "digit"
  std::string order_name = {};       // noun for images that follow each other in time: "frame"; or empty
};

// The losses of finished epochs, as in metrics.csv.
struct History {
  std::vector<EpochResult> epochs;
};

class Session {
 public:
  // Loads the data and builds the model. Throws Error.
  Session(const Program& program, const RunConfig& config);

  // Loads the trained model, or continues a run that was interrupted or has more epochs now, or trains from
  // the start (always with `retrain`). Training writes config.toml, metrics.csv and model.safetensors.
  void train_or_reload(bool retrain);
  // Throws Error, which names the first setting that differs, if the folder holds another run. Commands other
  // than train never replace a run.
  void check_folder(const std::string& command) const;

  const RunConfig& config() const { return config_; }
  const Program& program() const { return program_; }
  const std::filesystem::path& folder() const { return folder_; }
  Vae& model() const { return *model_; }
  const Dataset& train() const { return train_; }
  const Dataset& validation() const { return validation_; }
  // The first `most` images (0: all) of the set named "train" or "validation", or of the training set if
  // there is no validation set.
  Dataset images(const std::string& set, std::int64_t most = 0) const;
  const History& history() const { return history_; }
  const std::string& source() const { return source_; }
  const DataDescription& description() const { return description_; }
  const Standardization& standardization() const { return description_.standardization; }
  // Names of a table's columns, and names of labels; or none.
  const std::vector<std::string>& column_names() const { return description_.column_names; }
  const std::vector<std::string>& class_names() const { return description_.class_names; }
  std::string unit() const;
  bool has_pictures() const { return train_.height > 1; }  // rather than rows of a table
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
