// Training and evaluation of a VAE on images (u8, or f32 tables) that live on the device.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "gpuvae/data.h"
#include "gpuvae/optim.h"
#include "gpuvae/schedule.h"
#include "gpuvae/vae.h"

namespace gpuvae {

// Settings of a Trainer.
struct TrainOptions {
  std::int64_t batch_size = 100;  // images per step

  bool drop_last = false;     // leave a ragged last batch out
  BatchOptions data = {};     // order and binarization
  bool frozen_noise = false;  // one epsilon per image for the whole run, instead of a fresh one every epoch
  double beta = 1;            // weight of the KL term in the gradient and in the reported loss
  double warmup_epochs = 0;   // the gradient's weight rises from 0 to beta over these, step by step
  double free_bits = 0;       // see ElboWeights; the reported KL term is the plain one
  bool pixel_mean = false;    // mean instead of sum over the pixels: not an ELBO
  bool batch_sum = false;     // the gradient is of the sum over the batch; what is reported is a mean
  std::int64_t validation_batch = 1000;  // images at a time in evaluation
  // Between calls of run_epoch's progress. A report from a GPU waits for it: there they are also at least
  // report_seconds apart, at the end of a launch; with 0 every report_steps.
  std::int64_t report_steps = 50;
  double report_seconds = 0.5;              // on a GPU
  LearningRateSchedule schedule = {};       // none: the optimiser's learning rate, as it is
  Executor executor = Executor::automatic;  // the bits are the same with eager and graph, not with fused
};

// How many steps a pass over `images` images takes.
std::int64_t steps_per_epoch(const TrainOptions& options, std::int64_t images);

// Nats per image (unless pixel_mean): means over the images seen, weights of the moment each batch was seen.
struct Losses {
  double loss = 0;            // reconstruction + beta * kl
  double reconstruction = 0;  // -log p(x | z)
  double kl = 0;              // KL(q(z | x) || p(z))
};
// What an epoch yields.
struct EpochResult {
  int epoch = 0;                  // its number, from 1
  Losses train;                   // of its training steps
  Losses validation;              // after them
  double train_seconds = 0;       // wall-clock time
  double validation_seconds = 0;  // wall-clock time
  bool complete = true;  // false if a callback stopped the epoch: `train` is then of its steps so far
};
// A look at a running epoch: images done, and the losses so far.
using ProgressCallback = std::function<void(std::int64_t images, const Losses& so_far)>;

// A run between two steps.
struct StepReport {
  std::uint64_t step = 0;    // finished steps of the run
  int epoch = 0;             // of the last finished step, from 1
  Losses losses;             // means over the images since the callback's previous report
  double learning_rate = 0;  // of the last finished step
};
// What a callback decides. `stop` ends the call that trains; a later call continues from there.
enum class TrainControl : std::uint8_t { proceed, stop };
// @{
// Callbacks may save or evaluate the model, and change the optimiser's learning rate, but not train.
using StepCallback = std::function<TrainControl(const StepReport&)>;
using EpochCallback = std::function<TrainControl(const EpochResult&)>;
// @}

// What run_steps() yields.
struct StepsResult {
  std::uint64_t steps = 0;  // how many were done
  Losses losses;            // means over their images
  bool stopped = false;     // by a callback
};

// Trains a model by the epoch or by the step. The steps of a run are the same, bit for bit, however they are
// divided among calls. One thread at a time may use a trainer.
class Trainer {
 public:
  // Everything lives on the model's device. The trainer keeps a handle on the model; the optimiser outlives
  // the trainer and does not move. With graphs training runs on the stream that is current in run_epoch, or
  // on one of the trainer's own if that is the device's default. Throws Error if the optimiser updates a
  // variable that is no parameter of the model.
  Trainer(const Vae& model, Optimizer& optimizer, Dataset train, Dataset validation,
          const TrainOptions& options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // One pass over the training set, or the rest of one that was begun, then one over the validation set (if
  // it has images). Throws Error at a loss that is not finite, naming the step.
  EpochResult run_epoch(const ProgressCallback& progress = {});
  // At most `epochs` times run_epoch(): until a callback stops.
  std::vector<EpochResult> run_epochs(int epochs);
  // The next `steps` steps, across the ends of epochs. There the validation set is evaluated only for the
  // callbacks of on_epoch(). Throws Error as run_epoch does.
  StepsResult run_steps(std::uint64_t steps);
  // Adds a callback for all later calls that train: it is called whenever the number of finished steps is a
  // multiple of `every`. On a GPU each report waits for the device, and graphs hold at most `every` steps.
  // Throws Error if `every` is 0, and inside a callback.
  void on_steps(std::uint64_t every, StepCallback callback);
  // Adds a callback for the end of every epoch, as on_steps does.
  void on_epoch(EpochCallback callback);

  // Losses on a data set of the model's features, on the model's device; one fresh draw per image.
  [[nodiscard]] Losses evaluate(const Dataset& images);

  // Finished epochs of the run.
  [[nodiscard]] int epochs_done() const { return static_cast<int>(step_ / steps_per_epoch_); }
  // Finished steps of the run.
  [[nodiscard]] std::uint64_t steps_done() const { return step_; }
  // Continues a run after so many epochs, with the parameters and the optimiser's state that it had then.
  void resume_after(int epochs) { step_ = static_cast<std::uint64_t>(epochs) * steps_per_epoch_; }
  // @{
  // How many steps and images a pass over the training set has.
  [[nodiscard]] std::int64_t steps_per_epoch() const { return static_cast<std::int64_t>(steps_per_epoch_); }
  [[nodiscard]] std::int64_t images_per_epoch() const;
  // @}
  // Of a step of the run, counted from 0: the optimiser's present learning rate times the schedule's factor.
  [[nodiscard]] double learning_rate(std::uint64_t step) const;
  [[nodiscard]] std::string executor()
      const;  // which one runs the steps, and why: "graph: 100 steps a launch"

 private:
  struct ChosenStep choose_step();
  [[nodiscard]] bool reports_wait() const;
  [[nodiscard]] Stream training_stream();
  [[nodiscard]] std::uint64_t step_in_epoch() const { return step_ % steps_per_epoch_; }
  [[nodiscard]] std::int64_t images_after(std::uint64_t steps) const;  // steps of one epoch
  void begin_epoch();
  EpochResult run_epoch(const ProgressCallback& progress, bool& stopped);
  bool train_to(std::uint64_t end, const ProgressCallback& progress);
  [[nodiscard]] std::uint64_t steps_at_once(std::uint64_t end, bool reports) const;
  bool report_steps();
  void report_progress(const ProgressCallback& progress, std::uint64_t before);
  EpochResult finish_epoch();
  bool report_epoch(const EpochResult& result);
  Losses evaluate_in(std::uint64_t epoch, const Dataset& images);
  [[nodiscard]] double factor(std::uint64_t step) const;
  void write_factors(std::uint64_t updates);
  // The sums over the epoch's images so far, and their mean.
  struct Sums {
    double reconstruction = 0, kl = 0;
    std::int64_t images = 0;
  };
  Sums read_sums();
  [[nodiscard]] Losses mean_of(const Sums& sums) const;
  void add_to_means(const Sums& epoch);

  Vae model_;
  Optimizer& optimizer_;
  Dataset train_, validation_;
  TrainOptions options_;
  std::uint64_t steps_per_epoch_ = 0;
  std::uint64_t step_ = 0;        // finished steps of the run
  bool training_ = false;         // inside a call that trains
  Sums seen_;                     // the epoch's sums when they were last added to the means below
  Sums of_call_;                  // of run_steps
  double seconds_ = 0;            // of the epoch so far
  Tensor state_;                  // a RunState, as bytes on the device
  Tensor factors_;                // f64 [steps per epoch]: of the schedule, if there is one
  std::optional<Stream> stream_;  // of the trainer's own, for captures
  std::unique_ptr<class StepExecutor> executor_;
  std::chrono::steady_clock::time_point reported_;
  struct StepWatch {
    std::uint64_t every;
    StepCallback callback;
    Sums since_report;
  };
  std::vector<StepWatch> step_callbacks_;
  std::vector<EpochCallback> epoch_callbacks_;
};

// Parameters as a safetensors file, under their names, with text metadata. Written whole or not at all.
void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata = {});
// Reads them back into the variables and returns the metadata. Throws Error naming the first tensor that is
// missing, extra, or differs in shape or type, and how.
std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   std::span<const Parameter> parameters);

// Saves parameters with the optimiser's state and the number of finished epochs, so that training can
// continue bit for bit.
void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, int epochs);
// Restores what save_checkpoint saved, with the learning rate, and returns the number of finished epochs for
// Trainer::resume_after. Throws Error as load_parameters does, and, naming both, if another kind of optimiser
// saved the state.
int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer);

}  // namespace gpuvae
