// The data of --data and --input.
#pragma once

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// How load_other_data() reads --data.
DatasetOptions data_options(const RunConfig& config);
// The training and validation rows of --data. Throws Error.
Split load_other_data(const RunConfig& config);
// Throws Error if --header, --columns or --value-range is given, which only --data uses.
void refuse_data_flags(const RunConfig& config);
// Returns how to scale values that are used as they are and reach far outside [-10, 10], which can make
// training diverge. The text is empty for other values, for counts, which must stay as they are, and without
// --data, which --value-range needs.
std::string scaling_advice(const DataDescription& data, const RunConfig& config);
// Prints what the values are and how the data were read.
void say_data(const Split& split, const RunConfig& config);

// Standardises the columns of the types gaussian and laplace, and those of the condition, over the training
// rows, which do not include missing values. Throws Error if the examples stay in a file, and for a column
// whose differences are lost in f32.
void standardize_columns(Split& split, const RunConfig& config);
// Returns the mean of a column of the training rows, without missing values. Throws Error unless it is
// positive.
double mean_library_size(const Dataset& train, std::int64_t column);

// The description of the features alone: without the columns of the condition, which are the last ones.
DataDescription without_condition(DataDescription data);
// Throws Error with the column and the row if an example lacks a value in a column of the condition.
void check_conditions(const Dataset& images, const DataDescription& data, const std::string& source);
// Throws Error if an example has a feature for which the likelihood is not defined.
void check_values(const RunConfig& config, const Dataset& images, const DataDescription& data);

// Reads all rows of another file or, if a folder has a fixed split, those of the part `set` ("train" or
// "validation"). They must match the training data that `like` describes, and are converted in the same way.
// Prints how they were read. Throws Error if they do not match (see load_like).
Dataset load_input(const RunConfig& config, const std::string& path, const std::string& set,
                   const DataDescription& like);

}  // namespace gpuvae::apps
