// A VAE with the calls that Python makes. All functions work row by row: the result of a row has the same
// bits whatever other rows the call gets.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gpuvae/evaluate.h"
#include "gpuvae/train.h"
#include "src/python/options.h"
#include "src/train/model_file.h"

namespace gpuvae::python {

// The settings of a training run.
struct TrainingRun {
  OptimizerOptions optimizer;
  TrainOptions options;
  ScheduleSettings schedule;  // of the learning rate, over all epochs
  bool output_bias = false;   // whether the output biases start at the means of the rows
  int epochs = 10;
  // Receives the number of the epoch and the losses so far; or empty.
  std::function<void(int epoch, std::int64_t images, const Losses&)> on_progress;
  // Receives a finished epoch, and returns whether training stops; or empty.
  std::function<bool(const EpochResult&)> on_epoch;
  // Asked between two steps; returns whether training stops at once. May throw.
  std::function<bool()> stop;
};

// Several threads may call const members at the same time, but not during train() or set_parameter().
class Model {
 public:
  // Draws the initial parameters. Throws Error for unusable options.
  Model(const ModelSettings& settings, Device device)
      : vae_(settings.vae, device), exemplars_(settings.exemplars) {}
  // Reads the parameters of a model file. Throws Error for a file that does not fit the options.
  Model(const ModelSettings& settings, Device device, const std::filesystem::path& file)
      : vae_(load_model(settings.vae, device, file)), exemplars_(settings.exemplars) {}

  const Vae& vae() const { return vae_; }

  // Trains on rows [count, features], f32 or u8, on the CPU or on the model's device, whose memory is then
  // used without a copy, unless they become exemplars; `validation` may be undefined. Returns the finished
  // epochs. Throws Error like Trainer, and if TrainingRun::stop ended the training. The model then has the
  // weights of the best epoch with TrainOptions::patience, else the moving average of the weights if there is
  // one.
  std::vector<EpochResult> train(const Tensor& rows, const Tensor& validation, const TrainingRun& run);

  // @{
  // Each returns f32 on the device of its rows: the means of q(z | x), [count, latent]; the means of p(x | z)
  // and of p(x | mean of z), [count, features]. Rows are f32 or u8 and z is f32, on the CPU or on the model's
  // device.
  Tensor encode(const Tensor& rows) const;
  Tensor decode(const Tensor& z) const;
  Tensor reconstruct(const Tensor& rows) const;
  // @}
  // Returns per row an estimate of log p(x) in nats: with one sample the ELBO, with more the
  // importance-weighted bound (Burda et al., 2016). The noise is a function of the seed and of the values of
  // the row.
  std::vector<double> score(const Tensor& rows, std::int64_t samples, std::uint64_t seed) const;

  // Returns the scores of each row. With one sample, the bound on log p(x) is the ELBO. The noise is that of
  // score().
  RowScores scores(const Tensor& rows, std::int64_t samples, std::uint64_t seed) const;

  // The five functions above must be called within a LibraryCall. They end with the exception of a signal
  // handler, such as KeyboardInterrupt, and throw Error if the interpreter exits.

  // Gives the prior exemplar copies of the rows of the training set, [count, example_columns] as for train().
  // `data` says how they become examples. Throws Error for another prior, and for other rows than those that
  // `trained_on` describes unless it is null.
  void set_exemplars(const Tensor& rows, const BatchOptions& data, const TrainingData* trained_on);
  // Returns the exemplars in host memory, or an undefined tensor if there are none.
  Tensor exemplars() const;

  // Sets the values of a parameter. Throws Error if there is no such parameter of this shape.
  void set_parameter(const std::string& name, const Tensor& values);
  void save(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) const;

 private:
  Tensor map_rows(const Tensor& rows, std::int64_t columns,
                  const std::function<Variable(const Variable&)>& map) const;
  std::vector<std::vector<double>> log_weights(const Vae& vae, const Tensor& x, const Tensor& params,
                                               std::int64_t samples, std::uint64_t seed) const;

  Vae vae_;
  std::shared_ptr<ExemplarSlot> exemplars_;  // null for other priors
};

}  // namespace gpuvae::python
