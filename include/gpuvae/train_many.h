// Training several models side by side, one CPU thread each.
#pragma once

#include <exception>
#include <functional>
#include <span>
#include <vector>

#include "gpuvae/train.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The training of one model: `epochs` further epochs of a trainer, as by Trainer::run_epochs.
struct TrainJob {
  Trainer* trainer = nullptr;  // must outlive the call
  int epochs = 0;              // how many to train
};
// Builds and trains a model, and returns what the caller wants to know about its epochs.
using TrainFunction = std::function<std::vector<EpochResult>()>;

// What became of one model.
struct TrainOutcome {
  std::vector<EpochResult> epochs;  // empty after an error
  std::exception_ptr error;         // what the training threw; null if it succeeded
};

// @{
// Trains the models on at most `threads` threads, of which one is the calling thread, and returns the
// outcomes in the order of the arguments. 0 threads means num_threads(). A thread trains one model at a time
// from its beginning to its end, and uses no other threads for it, so that processors do not wait for each
// other: this trains more models per hour than several threads per model. An exception ends the training of
// its model only.
//
// Each model gets the same bits as if it were trained alone, with any number of threads. Models must not
// share parameters, optimisers or trainers; they may share data sets and other tensors that none of them
// changes. Trainers must have no communicator (TrainOptions::communicator), because the order of their sums
// would differ between ranks. Functions may be called at the same time, and callbacks of different trainers
// too. With functions that build their models, at most `threads` models are in memory at a time.
//
// Threads other than the calling one start with the device's default stream as current stream. On a GPU, a
// trainer that uses graphs has a separate stream, so that models run side by side.
//
// Throws Error if `threads` is negative, if a function is empty, or if a trainer is null or there twice.
[[nodiscard]] std::vector<TrainOutcome> train_many(std::span<const TrainJob> jobs, int threads = 0);
[[nodiscard]] std::vector<TrainOutcome> train_many(std::span<const TrainFunction> functions, int threads = 0);
// @}

}  // namespace gpuvae
#pragma GCC visibility pop
