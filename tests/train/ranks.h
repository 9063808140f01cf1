// Runs of one small model, alone or divided among ranks, for the tests of data-parallel training.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "gpuvae/gpuvae.h"

namespace gpuvae {

// The results of a run: the losses of each step, those of the epochs, and the parameters.
struct RankRun {
  std::vector<double> steps, epochs;
  std::vector<float> parameters;
};

// Trains for two epochs of 11 steps; the last batch of an epoch has one image. `stop_after` ends the run
// early.
inline RankRun train_on(std::shared_ptr<Communicator> communicator, std::uint64_t stop_after = 0,
                        const Objective& objective = {}) {
  constexpr std::int64_t kFeatures = 20, kImages = 101;
  std::vector<std::uint8_t> bytes(kImages * kFeatures);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i * 7 / 16);
  const Dataset images{4, 5, Tensor::from(bytes, {kImages, kFeatures}), {}};
  VaeOptions model_options;
  model_options.features = kFeatures;
  model_options.encoder_widths = {16};
  model_options.latent = 3;
  const Vae model(model_options, Device::cpu());
  Optimizer optimizer(model.parameters(), {.learning_rate = 1e-3});
  TrainOptions options;
  options.batch_size = 10;
  options.validation_batch = 30;
  options.warmup_epochs = 1.5;
  options.communicator = communicator;
  options.objective = objective;
  Trainer trainer(model, optimizer, images, images, options);
  RankRun run;
  trainer.on_steps(1, [&](const StepReport& report) {
    run.steps.push_back(report.losses.loss);
    return TrainControl::proceed;
  });
  trainer.on_epoch([&](const EpochResult& result) {
    for (const Losses& l : {result.train, result.validation}) {
      run.epochs.push_back(l.reconstruction);
      run.epochs.push_back(l.kl);
      run.epochs.push_back(l.loss);
    }
    return TrainControl::proceed;
  });
  // Only one rank asks to stop, and all do.
  if (stop_after > 0)
    trainer.stop_when(
        [&] { return (!communicator || communicator->rank() == 0) && trainer.steps_done() >= stop_after; });
  trainer.run_epochs(2);
  for (const Parameter& p : model.parameters())
    for (const float v : p.variable.value().to_vector()) run.parameters.push_back(v);
  return run;
}

// Returns the largest relative difference of the losses in the first ten steps.
inline double difference(const RankRun& a, const RankRun& b) {
  double largest = a.steps.size() == b.steps.size() && a.steps.size() >= 10 ? 0 : INFINITY;
  for (std::size_t i = 0; i < 10 && i < a.steps.size() && i < b.steps.size(); ++i)
    largest = std::fmax(largest, std::fabs(a.steps[i] - b.steps[i]) / std::fabs(a.steps[i]));
  return largest;
}

}  // namespace gpuvae
