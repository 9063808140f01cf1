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

struct TrainOptions {
  std::int64_t batch_size = 100;
  bool drop_last = false;     // leave a ragged last batch out
  BatchOptions data = {};     // order and binarization
  bool frozen_noise = false;  // one epsilon per image for the whole run, instead of a fresh one every epoch
  double beta = 1;            // weight of the KL term in the gradient and in the reported loss
  double warmup_epochs = 0;   // the gradient's weight rises from 0 to beta over these, step by step
  double free_bits = 0;       // see ElboWeights; the reported KL term is the plain one
  bool pixel_mean = false;    // mean instead of sum over the pixels: not an ELBO
  bool batch_sum = false;     // the gradient is of the sum over the batch; what is reported is a mean
  std::int64_t validation_batch = 1000;
  // Between calls of run_epoch's progress. A report from a GPU waits for it: there they are also at least
  // report_seconds apart, at the end of a launch; with 0 every report_steps.
  std::int64_t report_steps = 50;
  double report_seconds = 0.5;
  LearningRateSchedule schedule = {};       // none: the optimiser's learning rate, as it is
  Executor executor = Executor::automatic;  // the bits are the same with eager and graph, not with fused
};

// How many steps a pass over `images` images takes.
std::int64_t steps_per_epoch(const TrainOptions& options, std::int64_t images);

// Nats per image (unless pixel_mean): means over the images seen, weights of the moment each batch was seen.
struct Losses {
  double loss = 0, reconstruction = 0, kl = 0;  // loss = reconstruction + beta * kl
};
struct EpochResult {
  int epoch = 0;  // from 1
  Losses train, validation;
  double train_seconds = 0, validation_seconds = 0;
};
// A look at a running epoch: images done, and the losses so far.
using ProgressCallback = std::function<void(std::int64_t images, const Losses& so_far)>;

class Trainer {
 public:
  // All of them live on the model's device and outlive the trainer. With graphs training runs on the stream
  // that is current in run_epoch, or on one of the trainer's own if that is the device's default.
  // Throws Error if the optimiser updates a variable that is no parameter of the model.
  Trainer(Vae& model, Optimizer& optimizer, Dataset train, Dataset validation, const TrainOptions& options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // One pass over the training set, then one over the validation set (if it has images). Throws Error at a
  // loss that is not finite, naming the step.
  EpochResult run_epoch(const ProgressCallback& progress = {});
  [[nodiscard]] Losses evaluate(const Dataset& images);

  [[nodiscard]] int epochs_done() const { return epoch_; }
  void resume_after(int epochs) { epoch_ = epochs; }
  [[nodiscard]] std::int64_t steps_per_epoch() const { return static_cast<std::int64_t>(steps_per_epoch_); }
  [[nodiscard]] std::int64_t images_per_epoch() const;
  // Of a step of the run, counted from 0: the optimiser's present learning rate times the schedule's factor.
  [[nodiscard]] double learning_rate(std::uint64_t step) const;
  [[nodiscard]] std::string executor()
      const;  // which one runs the steps, and why: "graph: 100 steps a launch"

 private:
  struct ChosenStep choose_step();
  [[nodiscard]] bool reports_wait() const;
  [[nodiscard]] Stream training_stream();
  void run_steps(const ProgressCallback& progress);
  [[nodiscard]] double factor(std::uint64_t step) const;
  void write_factors(std::uint64_t first_step, std::uint64_t updates);
  [[nodiscard]] Losses read_totals(const Tensor& state, std::int64_t images, bool training) const;

  Vae& model_;
  Optimizer& optimizer_;
  Dataset train_, validation_;
  TrainOptions options_;
  std::uint64_t steps_per_epoch_ = 0;
  int epoch_ = 0;
  Tensor state_;                  // a RunState, as bytes on the device
  Tensor factors_;                // f64 [steps per epoch]: of the schedule, if there is one
  std::optional<Stream> stream_;  // of the trainer's own, for captures
  std::unique_ptr<class StepExecutor> executor_;
  std::chrono::steady_clock::time_point reported_;
};

// Parameters as a safetensors file, under their names, with text metadata. Written whole or not at all.
void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata = {});
// Reads them back into the variables and returns the metadata. Throws Error naming the first tensor that is
// missing, extra, or differs in shape or type, and how.
std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   std::span<const Parameter> parameters);

// The same, with the optimiser's state and the number of finished epochs: training goes on from it bit for
// bit (with Trainer::resume_after). load_checkpoint returns that number, and sets the learning rate that was
// saved. It throws Error, naming both, if another kind of optimiser saved the state.
void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, int epochs);
int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer);

}  // namespace gpuvae
