// Training a VAE on a data set (u8 or f32) in device memory or a source, and saving and loading its
// parameters.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "gpuvae/average.h"
#include "gpuvae/data.h"
#include "gpuvae/distributed.h"
#include "gpuvae/optim.h"
#include "gpuvae/schedule.h"
#include "gpuvae/vae.h"

namespace gpuvae {
class [[gnu::visibility("hidden")]] StepExecutor;
}  // namespace gpuvae

#pragma GCC visibility push(default)
namespace gpuvae {

// Settings of a Trainer.
struct TrainOptions {
  std::int64_t batch_size = 100;  // images per step

  bool drop_last = false;     // whether to skip a last batch that is smaller than batch_size
  BatchOptions data = {};     // order and binarization of the examples
  bool frozen_noise = false;  // whether each image keeps the same epsilon in all epochs
  double beta = 1;            // weight of the KL term in the gradient and in the reported loss
  double warmup_epochs = 0;   // KL warm-up: epochs in which the gradient's KL weight rises from 0 to beta
  double free_bits = 0;       // see ElboWeights; the reported KL term does not include free bits
  // What training maximises, also in the evaluation of the validation set, and the reported loss. Other
  // objectives than the default have neither free bits nor pixel_mean. KL warm-up and beta multiply log p(z)
  // - log q(z | x) in the importance weights; the objective is then no bound on log p(x).
  Objective objective = {};
  bool pixel_mean = false;  // mean over the features instead of sum; the loss is then not an ELBO
  bool batch_sum = false;   // minimises the sum over the batch, not the mean; reports are means
  std::int64_t validation_batch = 1000;  // images times draws per batch in evaluation
  // Number of steps between calls of run_epoch's progress callback. On a GPU, a report waits for the device,
  // so reports are at least report_seconds apart, and with graphs they come only at the end of a launch. If
  // report_seconds is 0, a report comes every report_steps steps on a GPU, too.
  std::int64_t report_steps = 50;
  double report_seconds = 0.5;              // minimum seconds between reports on a GPU; see report_steps
  LearningRateSchedule schedule = {};       // factors of the learning rate; empty: always 1
  Executor executor = Executor::automatic;  // eager and graph agree bit for bit; fused rounds differently
  // What happens at a step whose loss or gradient is not finite. With skip and rewind, every step also
  // computes the norm of the gradient, and the fused executor is not available.
  OnNan on_nan = OnNan::stop;
  // The moving average of the weights, with which the trainer evaluates the model. A decay of 0 means none.
  AverageOptions average = {};
  // Number of epochs without a better validation after which run_epochs() and run_steps() end; 0: no limit.
  // Each epoch is compared with the best one so far: only a smaller reconstruction + KL or, for an
  // importance-weighted objective, a larger objective is an improvement, both with KL weight 1, whatever
  // `beta` is. The validation then draws the same noise and binarization in all epochs. Epochs of the KL
  // warm-up do not count. Requires validation examples.
  int patience = 0;
  // Whether to keep a copy of the weights of the best epoch even without `patience`.
  bool keep_best = false;
  // Divides every batch among several ranks. The executor is then eager. free_bits must be 0, because free
  // bits depend on the whole batch, and on_nan must not be rewind, because only some ranks read losses in an
  // epoch.
  std::shared_ptr<Communicator> communicator = {};
};

// The number of steps in a pass over `images` images.
std::int64_t steps_per_epoch(const TrainOptions& options, std::int64_t images);

// Losses in nats per image (unless pixel_mean is true), averaged over the images. During training, the loss
// of each batch is computed before the update that it causes.
struct Losses {
  // reconstruction + beta * kl or, for an importance-weighted objective, minus the objective (in training
  // with the KL weight of the step).
  double loss = 0;
  double reconstruction = 0;  // -log p(x | z), the mean over the draws
  double kl = 0;              // KL(q(z | x) || p(z)), in closed form or the mean over the draws
};
// The result of an epoch.
struct EpochResult {
  int epoch = 0;                  // number of the epoch, from 1
  Losses train;                   // mean over the training steps
  Losses validation;              // evaluated after the training steps
  double train_seconds = 0;       // wall-clock time
  double validation_seconds = 0;  // wall-clock time
  bool complete = true;       // false if a callback stopped the epoch; `train` then covers the steps so far
  std::uint64_t skipped = 0;  // steps that OnNan::skip left out; `train` does not include them
  int rewinds = 0;            // rewinds of the run so far (OnNan::rewind)
  bool best = false;          // whether this is the best epoch so far (patience, keep_best)
};

// The best epoch of a run (TrainOptions::patience, keep_best).
struct BestEpoch {
  int epoch = 0;        // its number, from 1; 0 if there is none
  double loss = 0;      // its validation loss with KL weight 1, by which epochs are compared
  int waited = 0;       // epochs since then, without those of the KL warm-up
  Tensor weights = {};  // those with which it was evaluated, with the layout of Optimizer::values()
};
// Weights that a Trainer can give its model.
enum class ModelWeights : std::uint8_t {
  trained,    // those that the training steps update
  evaluated,  // those with which the trainer evaluates: the moving average if there is one
  best,       // those of the best epoch
};
// Receives the number of images processed in the current epoch, and the mean losses so far.
using ProgressCallback = std::function<void(std::int64_t images, const Losses& so_far)>;

// The state of a run between two steps.
struct StepReport {
  std::uint64_t step = 0;    // finished steps of the run
  int epoch = 0;             // epoch of the last finished step, from 1
  Losses losses;             // means over the images since the callback's previous report
  double learning_rate = 0;  // learning rate of the last finished step
};
// The decision of a callback. `stop` ends the call that trains; a later call continues at the next step.
enum class TrainControl : std::uint8_t { proceed, stop };
// @{
// Callbacks may save or evaluate the model and change the optimiser's learning rate, but must not call a
// function that trains.
using StepCallback = std::function<TrainControl(const StepReport&)>;
using EpochCallback = std::function<TrainControl(const EpochResult&)>;
// @}

// The result of run_steps().
struct StepsResult {
  std::uint64_t steps = 0;  // number of steps that were done
  Losses losses;            // means over the images of these steps
  bool stopped = false;     // true if a callback stopped the call, or the patience is over
};

// Where a run stands between two steps, besides the parameters and the optimiser.
struct TrainingState {
  int epochs = 0;           // finished epochs
  std::uint64_t steps = 0;  // finished steps of the running epoch
  // @{
  // Sums over the images of these steps, nats.
  double reconstruction = 0;
  double kl = 0;
  double objective = 0;  // minus the objective, if it is importance-weighted
  // @}
  double seconds = 0;  // wall-clock time of these steps
  // @{
  // With OnNan::skip: the skipped steps of the run, those of the running epoch, and their images.
  std::uint64_t skipped = 0;
  std::uint64_t epoch_skipped = 0;
  std::uint64_t epoch_skipped_images = 0;
  // @}
  int rewinds = 0;      // with OnNan::rewind: how often the run has gone back
  BestEpoch best = {};  // the best epoch so far, with TrainOptions::patience or keep_best
  Tensor average = {};  // the moving average of the weights; or undefined
};

// The number of times that a run goes back with OnNan::rewind before it ends with an error.
inline constexpr int kMaxRewinds = 3;
// A rewind of a run, which has just happened.
struct Rewind {
  std::string reason;        // the error that made the run go back
  int number = 0;            // from 1 to kMaxRewinds
  TrainingState state = {};  // where the run stands now
  double learning_rate = 0;  // the optimiser's new learning rate
};
// Receives what a rewind did. It must not call a function that trains.
using RewindCallback = std::function<void(const Rewind&)>;

// Trains a model by epochs or by steps. A run gives bit-identical results however its steps are divided among
// calls. One thread at a time may use a trainer.
//
// TrainOptions::on_nan decides what happens if a loss or gradient is not finite. With OnNan::skip, such a
// step changes neither the parameters nor the optimiser nor its number of updates, which also is the number
// that the learning-rate schedule gets. An epoch in which all steps are skipped is an error. With
// OnNan::rewind, the trainer keeps a copy of the parameters and of the optimiser's state in memory: the state
// at the end of the last epoch, or at the first training call after the construction or resume(). It goes
// back to that state with half the learning rate, and trains the epoch again.
class Trainer {
 public:
  // All tensors, and the batches of sources, must be on the model's device. The trainer keeps a handle to the
  // model. The optimiser must outlive the trainer and must not be moved. Training runs on the current stream.
  // If that is the device's default stream, which cannot be captured, and the trainer uses graphs, it runs on
  // a stream that the trainer creates. Throws Error if the optimiser updates a variable that is not a
  // parameter of the model.
  Trainer(const Vae& model, Optimizer& optimizer, Dataset train, Dataset validation,
          const TrainOptions& options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Runs one pass over the training set, or the rest of an unfinished one, and then one pass over the
  // validation set unless it is empty. Throws Error with the number of the step if a loss is not finite
  // (ErrorKind::not_finite; see OnNan), or if the device fails (ErrorKind::cuda).
  EpochResult run_epoch(const ProgressCallback& progress = {});
  // Calls run_epoch() up to `epochs` times, until a callback stops the run or the patience is over.
  std::vector<EpochResult> run_epochs(int epochs);
  // Runs the next `steps` steps, which may span several epochs. At the end of an epoch, the validation set is
  // evaluated only if an on_epoch() callback exists or the best epoch is kept. The errors are those of
  // run_epoch. After a rewind, the losses cover the steps since then.
  StepsResult run_steps(std::uint64_t steps);
  // Adds a callback for all later training calls: it is called whenever the number of finished steps is a
  // multiple of `every`. On a GPU, each report waits for the device, and graphs hold at most `every` steps.
  // Throws Error if `every` is 0, or if it is called inside a callback. If a callback throws, the call that
  // trains ends with that exception; after the last step of an epoch, the on_epoch() callbacks are then not
  // called for that epoch.
  void on_steps(std::uint64_t every, StepCallback callback);
  // Adds a callback for the end of every epoch. Throws Error if it is called inside a callback.
  void on_epoch(EpochCallback callback);

  // Sets the function that is called after each rewind (OnNan::rewind). Throws Error inside a callback.
  void on_rewind(RewindCallback callback);

  // Asks `condition` between launches of steps, and ends the training call when it returns true; a later call
  // continues from there. The condition must be quick and must not use the trainer. An empty function removes
  // it. Throws Error inside a callback.
  void stop_when(std::function<bool()> condition);

  // Returns the losses on a data set on the model's device, with one draw of z per image. The noise depends
  // on the number of finished epochs (unless frozen_noise is true, or the best epoch is kept), so repeated
  // calls between two steps give the same result. The weights are ModelWeights::evaluated.
  [[nodiscard]] Losses evaluate(const Dataset& images);

  // The number of finished epochs of the run.
  [[nodiscard]] int epochs_done() const { return static_cast<int>(step_ / steps_per_epoch_); }
  // The number of finished steps of the run.
  [[nodiscard]] std::uint64_t steps_done() const { return step_; }
  // The number of steps of the run that were skipped (OnNan::skip), up to the last report or training call.
  [[nodiscard]] std::uint64_t skipped_steps() const { return skipped_before_ + epoch_skipped_; }
  // How often the run has gone back (OnNan::rewind).
  [[nodiscard]] int rewinds() const { return rewinds_; }
  // The best epoch so far, if TrainOptions::patience or keep_best is set.
  [[nodiscard]] const BestEpoch& best() const { return best_; }
  // Whether TrainOptions::patience epochs have passed without an improvement.
  [[nodiscard]] bool patience_is_over() const {
    return options_.patience > 0 && best_.waited >= options_.patience;
  }
  // Calls `body` while the model has these weights, and then restores the present ones, also if `body`
  // throws. Throws Error for ModelWeights::best if there is no best epoch.
  void with_weights(ModelWeights which, const std::function<void()>& body);
  // Gives the model these weights for good. The optimiser's state stays that of the last step. Throws Error
  // as with_weights().
  void load_weights(ModelWeights which);
  // Makes the next training call continue after `epochs` finished epochs. The parameters and the optimiser
  // must have the state from that point, for example from load_checkpoint. The moving average starts at the
  // present weights, and no epoch is the best one.
  void resume_after(int epochs);
  // Where the run stands now. Waits for the device. Throws Error if a loss was not finite.
  [[nodiscard]] TrainingState state();
  // Continues a run from a state, under the same condition, also within an epoch. Throws Error if the epoch
  // has no such step.
  void resume(const TrainingState& state);
  // @{
  // The number of steps and images in a pass over the training set.
  [[nodiscard]] std::int64_t steps_per_epoch() const { return static_cast<std::int64_t>(steps_per_epoch_); }
  [[nodiscard]] std::int64_t images_per_epoch() const;
  // @}
  // The learning rate of a step of the run, counted from 0 and without skipped steps: the optimiser's current
  // learning rate times the schedule's factor.
  [[nodiscard]] double learning_rate(std::uint64_t step) const;
  // The executor that runs the steps, and the reason for the choice: "graph: 100 steps per launch".
  [[nodiscard]] std::string executor() const;

 private:
  struct ChosenStep choose_step();
  [[nodiscard]] bool reports_wait() const;
  [[nodiscard]] Stream training_stream();
  [[nodiscard]] std::uint64_t step_in_epoch() const { return step_ % steps_per_epoch_; }
  [[nodiscard]] std::uint64_t end_of_epoch() const {
    return (step_ / steps_per_epoch_ + 1) * steps_per_epoch_;
  }
  [[nodiscard]] std::int64_t images_after(std::uint64_t steps) const;  // within one epoch
  void begin_epoch();
  EpochResult run_epoch(const ProgressCallback& progress, bool& stopped);
  [[nodiscard]] bool any_rank(bool condition) const;
  bool train_to(std::uint64_t end, const ProgressCallback& progress);
  [[nodiscard]] struct StepContext first_step();
  [[nodiscard]] bool skips() const { return options_.on_nan == OnNan::skip; }
  void restore_state(const TrainingState& state);
  void run_with_rewinds(const std::function<void()>& body);
  void keep_rewind_point();
  void rewind(const Error& error);
  [[noreturn]] void fail_device(const Error& error) const;
  [[nodiscard]] std::uint64_t steps_at_once(std::uint64_t end, bool reports) const;
  bool report_steps();
  void report_progress(const ProgressCallback& progress, std::uint64_t before);
  [[nodiscard]] EpochResult epoch_so_far() const;
  EpochResult finish_epoch();
  bool report_epoch(const EpochResult& result);
  [[nodiscard]] bool keeps_best() const { return options_.patience > 0 || options_.keep_best; }
  [[nodiscard]] Tensor weights_of(ModelWeights which) const;
  double loss_to_compare(const EpochResult& result);
  void compare_with_best(EpochResult& result, double loss);
  Losses evaluate_in(std::uint64_t epoch, const Dataset& images, double kl_weight);
  [[nodiscard]] double factor(std::uint64_t step) const;
  void write_factors(std::uint64_t steps);
  // The sums over the epoch's images so far, and the number of images.
  struct Sums {
    double reconstruction = 0, kl = 0, objective = 0;
    std::int64_t images = 0;
  };
  Sums read_sums();
  void count_updates(const struct RunState& totals);
  [[nodiscard]] Losses mean_of(const Sums& sums) const;
  void add_to_means(const Sums& epoch);

  Vae model_;
  Optimizer& optimizer_;
  Dataset train_, validation_;
  TrainOptions options_;
  std::uint64_t steps_per_epoch_ = 0;
  std::uint64_t step_ = 0;                  // finished steps of the run
  std::uint64_t queued_ = 0;                // the last step that was queued
  std::uint64_t read_ = 0;                  // the step after which the device's state was last read
  bool training_ = false;                   // true inside a training call
  std::uint64_t skipped_before_ = 0;        // skipped steps of the finished epochs
  std::uint64_t epoch_skipped_ = 0;         // skipped steps of the epoch, when they were last read
  std::uint64_t epoch_skipped_images_ = 0;  // their images
  std::uint64_t updates_read_ = 0;          // the device's number of updates, when it was last read
  int rewinds_ = 0;
  BestEpoch best_;
  std::optional<WeightAverage> average_;
  struct RewindPoint;
  std::unique_ptr<RewindPoint>
      rewind_point_;              // null before the first training call, and without OnNan::rewind
  Sums seen_;                     // the epoch's sums at the last call of add_to_means()
  Sums of_call_;                  // sums of the run_steps call
  double seconds_ = 0;            // seconds of the epoch so far
  Tensor state_;                  // a RunState, as bytes on the device
  Tensor factors_;                // f64 [steps per epoch]: the schedule's factors, if there is a schedule
  std::optional<Stream> stream_;  // the trainer's stream for captures
  std::unique_ptr<StepExecutor> executor_;
  std::chrono::steady_clock::time_point reported_;
  struct StepWatch {
    std::uint64_t every;
    StepCallback callback;
    Sums since_report;
  };
  std::vector<StepWatch> step_callbacks_;
  std::vector<EpochCallback> epoch_callbacks_;
  RewindCallback rewind_callback_;
  std::function<bool()> stop_condition_;
};

// What a saved file survives. Waiting for the disk takes time, so that a file which is replaced every few
// moments may do without.
enum class Durability : std::uint8_t {
  process_end,  // the end of the process, however it ends
  power_loss,   // the loss of power as well: saving waits for the disk
};

// Writes parameters under their names to a safetensors file, with text metadata and a checksum. The file is
// written completely or not at all. Throws Error if a parameter has a value that is not finite.
void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata = {},
                     Durability durability = Durability::power_loss);
// Reads the parameters of a file into the variables and returns the metadata. Throws Error that names the
// first tensor that is missing or unexpected, or whose shape or type differs, or that has a value that is not
// finite; or if the file has a checksum that does not match.
std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   std::span<const Parameter> parameters);

// Saves all that training needs to continue bit for bit: the parameters, the kind, state and learning rate of
// the optimiser, and where the run stands; with further text metadata and a checksum. Throws Error like
// save_parameters.
void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, const TrainingState& state,
                     const std::map<std::string, std::string>& metadata = {},
                     Durability durability = Durability::power_loss);
// Saves a checkpoint between two epochs.
void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, int epochs);
// Restores what save_checkpoint saved, and returns where the run stands, for Trainer::resume. Throws Error
// like load_parameters, and if the state was saved by another kind of optimiser (the message names both
// kinds) or by a newer version. An error changes nothing.
TrainingState restore_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                                 Optimizer& optimizer);
// As restore_checkpoint, for a checkpoint between two epochs: returns the number of finished epochs for
// Trainer::resume_after. Throws Error for a checkpoint within an epoch.
int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer);

}  // namespace gpuvae
#pragma GCC visibility pop
