// A run of a program: configuration, data, model and run folder. The model is trained, or loaded if the
// folder already holds the finished run.
#pragma once

#include <functional>
#include <optional>

#include "apps/cli/command_line.h"
#include "apps/cli/presets.h"
#include "apps/run/metrics_file.h"
#include "apps/run/model_file.h"
#include "apps/run/run_folder.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/exemplar_prior.h"

namespace gpuvae::apps {

struct Program {
  std::string name, description;
  std::vector<Preset> presets;
  // Loads the program's default data set onto the CPU. If it falls back to the built-in synthetic data, it
  // sets `data.builtin`, so that the run is not mistaken for one on the original data.
  std::function<Split(RunConfig&)> load;
  std::string label_name = "class";  // singular noun for a label: "digit"
  std::string order_name = {};       // noun for an image of a video: "frame"; else empty
  bool shuffles_splits = true;       // whether the data may be split in another way (--split-seed)
};

// The losses of finished epochs, as in metrics.csv.
struct History {
  std::vector<EpochResult> epochs;
};

class Session {
 public:
  // Reads nothing yet. Throws Error for an unknown device.
  Session(const Program& program, const RunConfig& config);

  // Loads the folder's model without data. The model's file or a checkpoint describes the run. Returns false
  // if there is no model, or if only config.toml describes the run. Throws Error if nothing describes it, or
  // if the configuration differs from that of the model.
  bool open_model(const std::string& command);
  // Loads the data on which the model of open_model() was trained. Returns an empty text, or the reason why
  // the data are missing.
  std::string load_data_of_model();
  // Loads only the data, and prints what they are. config() then has what the data decide, such as the
  // likelihood.
  void load_data();
  // Loads the data. Then loads the trained model, or continues a run that was interrupted or now has more
  // epochs, or trains from the start (always with `retrain`). Other processes cannot write to the folder as
  // long as this object exists. Throws Error if the folder holds another run, unless `retrain`. Throws
  // Stopped after a signal.
  void train_or_reload(const Command& command);

  const RunConfig& config() const { return config_; }
  const Program& program() const { return program_; }
  const std::filesystem::path& folder() const { return folder_; }
  Vae& model() const { return *model_; }
  bool has_data() const { return train_.defined(); }
  // @{
  // These functions need the data (has_data()).
  const Dataset& train() const { return train_; }
  const Dataset& validation() const { return validation_; }
  // Returns the first `most` images (0: all) of the set "train", "validation" or "test". If there is no
  // validation set, "validation" means the training set.
  Dataset images(const std::string& set, std::int64_t most = 0) const;
  // @}
  const History& history() const { return history_; }
  // The epoch whose weights the model has, if that is not the last one (--patience); else 0.
  int best_epoch() const { return best_epoch_; }
  // The numbers of processes that trained the model, such as "2" or, if it changed, "2,4".
  const std::string& processes() const { return processes_; }
  // What the model file says about the data.
  const TrainingData& data_facts() const { return facts_; }
  const std::string& source() const { return facts_.source; }
  const DataDescription& description() const { return facts_.description; }
  const Standardization& standardization() const { return description().standardization; }
  // Names of a table's columns, and names of labels; or none.
  const std::vector<std::string>& column_names() const { return description().column_names; }
  const std::vector<std::string>& class_names() const { return description().class_names; }
  // The description of x alone, without the condition's columns of a table.
  DataDescription feature_description() const;
  // Throws Error if examples have classes that the training data of a model of --condition label lack.
  void check_classes(const Dataset& set, const std::string& operation) const;
  // Adds the class codes of a model with a class as condition to examples that load_input() returned.
  Dataset conditioned(const Dataset& set) const;
  std::string unit() const;
  // Whether the examples are images, not rows of a table.
  bool has_pictures() const { return description().height > 1; }
  EvaluationOptions evaluation() const;

 private:
  // What the folder holds, according to its model, its checkpoints or its config.toml.
  struct HeldRun {
    RunConfig config;
    std::string fingerprint;           // of the training set; empty if no file says it
    std::optional<RunConfig> of_file;  // config.toml, if `config` comes from a model or a checkpoint
  };
  std::optional<HeldRun> held_run() const;
  // The description in an intact checkpoint, for a model whose metadata were dropped.
  std::optional<RunDescription> description_beside_model() const;
  void check_same_run(const std::string& command, const HeldRun& held) const;
  void check_unchanged_config(const HeldRun& held) const;
  // All checks of a folder that holds a run, before that run is loaded or continued.
  void check_held(const std::string& command, const HeldRun& held) const;
  void say_new_description(const HeldRun& held) const;
  void keep_description() const;
  void set_library_reference();
  // The labels of a set that the training data lack.
  std::vector<int> labels_outside_training(const Dataset& set) const;
  VaeOptions model_options() const;  // of the model for the data
  void build_model();
  void announce() const;
  bool reload(const std::string& command);
  void check_generator() const;
  // Restores the last intact checkpoint. Returns its position, or that of the start of the run if nothing is
  // saved.
  TrainingState resume();
  TrainingState continue_from(const std::filesystem::path& checkpoint);
  void check_unchanged_model() const;
  std::vector<EpochResult> read_history(int epochs) const;

  void make_trainer();
  void follow();
  // Throws Error if ranks have different settings or data.
  void check_agreement() const;
  void announce_start(bool trains) const;
  void train_from(const TrainingState& start);
  void train_epoch(class Progress& progress, class CheckpointTimer& timer);
  EpochResult run_epoch(Progress& progress);
  void begin_files();
  [[noreturn]] void stop(int signal) const;
  [[noreturn]] void fail_training(const Error& error) const;
  std::string where_it_continues() const;
  void say_skipped(const EpochResult& result) const;
  void rewind(const Rewind& rewind);
  void save_model(int epoch, Durability durability) const;
  void save_weights(const std::filesystem::path& file, int epoch, ModelWeights which,
                    Durability durability) const;
  void save_best(Durability durability) const;
  // Whether the run has trained all epochs, or its patience is over.
  bool has_ended() const;
  // The weights of model.safetensors: those of the best epoch at the end of a run with --patience.
  ModelWeights weights_to_save() const;
  void finish_training();
  void set_output_bias();
  void save_checkpoint(Durability durability) const;

  Program program_;
  RunConfig config_;
  std::filesystem::path folder_;
  Device device_;
  std::optional<FolderLock> lock_;
  Dataset train_, validation_;
  Dataset test_;  // with --validation-set rest
  TrainingData facts_;
  std::unique_ptr<Vae> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
  History history_;
  int best_epoch_ = 0;
  // State of a run in progress.
  bool replaces_ = false;               // whether the folder still holds the run that this one replaces
  bool config_written_ = false;         // whether config.toml is that of this run
  std::filesystem::path resumed_from_;  // the checkpoint from which the run continues
  // The number of processes that train, or the numbers in their order if it changed: "3,1".
  std::string processes_ = "1";
  StepLog::Position log_position_;
  StepLog::Position rewind_log_position_;  // the position of steps_ to which a rewind goes back
  std::optional<MetricsFile> metrics_;
  std::optional<StepLog> steps_;
};

}  // namespace gpuvae::apps
