// What a model file says about itself in its metadata: the data that its numbers mean. The programs, the C
// interface and the Python package write the same metadata, so that each reads what the others write.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "gpuvae/data.h"
#include "gpuvae/vae.h"
#include "kernels/check.h"

namespace gpuvae {

// The format version of model files. Version 1 had no description.
inline constexpr int kModelFormat = 2;
// Keys of the metadata: the settings of the model and its training by flag, as JSON, and the training data.
inline constexpr const char *kSettingsKey = "settings", *kDataKey = "data";

using Metadata = std::map<std::string, std::string>;

// The data that a model was trained on.
struct TrainingData {
  DataDescription description;
  std::string source;  // where the data came from
  std::int64_t train_count = 0, validation_count = 0;
  bool bytes = false;       // u8 examples rather than floats
  bool labelled = false;    // whether the training set has labels
  std::string fingerprint;  // of the training set, 16 hexadecimal digits
  // The labels of the training set in ascending order, if a label below condition_classes is not among them;
  // else empty.
  std::vector<int> class_labels = {};
};

// Returns the description as JSON.
std::string data_json(const TrainingData& data);
// Reads what data_json wrote. Throws Error that names the file `where` if the description is damaged or
// contradicts itself.
TrainingData read_data_json(const std::string& text, const std::string& where);

// Returns the fingerprint of a training set and of its standardisation or scaling, 16 hexadecimal digits.
// Tables in different units have different fingerprints, even if they are equal once they are standardised.
std::string fingerprint_text(const Dataset& train, const DataDescription& description);

// Returns examples in host memory without the one-hot codes of classes in their last columns, which become
// labels: reverses with_class_codes().
Dataset without_class_codes(const Dataset& set, int classes);
// Throws Error unless `rows`, examples [x, y] in host memory, are those of the training set, in its order.
// The fingerprint of a training set with labels includes them, so if they are not the condition, only the
// number of rows is compared.
void check_training_rows(const TrainingData& data, const Dataset& rows, Origin origin);

// Throws Error if a newer version wrote the file `where`.
void check_model_format(const Metadata& metadata, const std::string& where);
// Returns the whole number of an entry, or -1 if there is no such entry or if it is another text.
int whole_of(const Metadata& metadata, const char* key);
// Returns the number of finished epochs, or -1 if the metadata do not contain it.
int epochs_of(const Metadata& metadata);

// Throws Error if the file is too small for the parameters of such a model. Call it before the model is made,
// whose memory a damaged description would otherwise decide.
void check_model_fits(const VaeOptions& options, const std::filesystem::path& file);
// Makes the model that a file describes, and reads its parameters. Throws Error (io) that names the file if
// it is damaged, or if no model can have such options.
[[nodiscard]] Vae load_model(const VaeOptions& options, Device device, const std::filesystem::path& file);

}  // namespace gpuvae
