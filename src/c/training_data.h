// What a trainer of the C interface was given, for the files of models and checkpoints.
#pragma once

#include "src/c/records.h"

namespace gpuvae::c {

// Describes the training set of a model: `features` are the examples x, and `examples` the rows [x, y].
TrainingData training_data(const ModelRecord& model, const Dataset& features, const Dataset& examples,
                           const Dataset& validation, Binarize binarize);

// What a checkpoint must share with the trainer that continues it, by metadata key.
Metadata order_of(const TrainingData& data, const TrainOptions& options);
// Throws Error if a trainer with other examples or another order of them saved the checkpoint. Checkpoints of
// other programs may lack these metadata.
void check_order(const char* path, const Metadata& metadata, const Metadata& order);

// Epochs of the model before the trainer that saved the checkpoint. Checkpoints of other programs lack it,
// because they count all epochs of the model.
inline constexpr const char* kEpochsBeforeKey = "epochs_before";

}  // namespace gpuvae::c
