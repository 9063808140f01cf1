// Models of the C interface: creation, files and properties.
#include "src/c/records.h"
#include "src/c/status.h"
#include "src/c/structs.h"

namespace gpuvae::c {
namespace {

namespace fs = std::filesystem;

gpuvae_model* new_model(std::shared_ptr<ModelRecord> record) {
  return static_cast<gpuvae_model*>(add_handle(HandleKind::model, std::move(record)));
}

ExampleRules rules_of(const Vae& vae, const DistributionSettings& distributions, int height, int width) {
  return {.features = vae.options().features,
          .height = height,
          .width = width,
          .values = named_likelihood(distributions.likelihood).values,
          .missing_values = distributions.missing_values,
          .column_types = distributions.column_types};
}

// A run folder stands for its model file.
fs::path model_path(const char* path) {
  std::error_code error;
  return fs::is_directory(path, error) ? fs::path(path) / "model.safetensors" : fs::path(path);
}

// The description of x alone, without the columns of the condition, which are the last ones.
DataDescription of_features(DataDescription data) {
  const auto features = static_cast<std::size_t>(data.width - data.condition_columns);
  if (data.condition_columns == 0) return data;
  data.width = static_cast<int>(features);
  if (!data.column_names.empty()) data.column_names.resize(features);
  if (data.standardization.empty()) return data;
  data.standardization.mean.resize(features);
  data.standardization.stddev.resize(features);
  return data;
}

// The description of the condition's columns alone.
DataDescription of_condition(DataDescription data) {
  if (data.standardization.empty()) return data;
  for (std::vector<double>* values : {&data.standardization.mean, &data.standardization.stddev})
    values->erase(values->begin(), values->end() - data.condition_columns);
  return data;
}

std::shared_ptr<ModelRecord> load_model(const char* path, const char* device) {
  const fs::path file = model_path(path);
  FileDescription from = read_description(file);
  const Vae vae = gpuvae::load_model(from.vae, Device::parse(device ? device : "auto"), file);
  ExampleRules rules = rules_of(vae, from.distributions, from.height, from.width);
  rules.condition = std::move(from.condition);
  if (from.data) {
    rules.trained_on = of_features(*from.data);
    if (rules.condition.columns > 0) rules.condition.trained_on = of_condition(*from.data);
  }
  return std::make_shared<ModelRecord>(ModelRecord{.vae = vae,
                                                   .distributions = std::move(from.distributions),
                                                   .rules = std::move(rules),
                                                   .metadata = std::move(from.metadata),
                                                   .described = std::move(from.data),
                                                   .epochs = from.epochs,
                                                   .exemplars = std::move(from.exemplars),
                                                   .exemplar_data = from.exemplar_data});
}

gpuvae_model_info info_of(const ModelRecord& model) {
  gpuvae_model_info info{};
  info.features = model.vae.options().features;
  info.latent = model.vae.options().latent;
  info.parameter_count = model.vae.parameter_count();
  info.height = model.rules.height;
  info.width = model.rules.width;
  if (const auto& data = model.rules.trained_on) {
    info.bytes = data->values.kind == ValueKind::bytes;
    info.standardized = !data->standardization.empty();
  } else if (model.trained) {
    info.bytes = model.trained->description.values.kind == ValueKind::bytes;
  }
  info.epochs = model.epochs;
  info.condition_columns = model.rules.condition.columns;
  info.condition_classes = model.rules.condition.classes;
  return info;
}

// The training set of a model, if its file describes it or a trainer of this process set it.
std::optional<TrainingData> training_set(const ModelRecord& model) {
  if (model.trained) return model.trained;
  const auto found = model.metadata.find(kDataKey);
  if (found == model.metadata.end()) return std::nullopt;
  return read_data_json(found->second, "the model");
}

}  // namespace
}  // namespace gpuvae::c

using namespace gpuvae::c;

extern "C" {

gpuvae_status gpuvae_model_options_init(gpuvae_model_options* options, size_t struct_size) {
  constexpr const char* kName = "gpuvae_model_options_init";
  return guarded(kName, [&] { init_struct(options, struct_size, default_model_options(), kName); });
}

gpuvae_status gpuvae_model_create(const gpuvae_model_options* options, gpuvae_model** model) {
  constexpr const char* kName = "gpuvae_model_create";
  return guarded(kName, [&] {
    check_result(model, kName);
    ModelDescription description = describe_model(options, kName);
    const gpuvae::Vae vae(description.vae, gpuvae::Device::parse(description.device));
    ExampleRules rules = rules_of(vae, description.distributions, description.height, description.width);
    rules.condition = std::move(description.condition);
    *model = new_model(std::make_shared<ModelRecord>(
        ModelRecord{.vae = vae,
                    .distributions = std::move(description.distributions),
                    .rules = std::move(rules),
                    .exemplars = std::move(description.exemplars),
                    .exemplar_data = {.seed = description.vae.initializer.seed}}));
  });
}

gpuvae_status gpuvae_model_load(const char* path, const char* device, gpuvae_model** model) {
  constexpr const char* kName = "gpuvae_model_load";
  return guarded(kName, [&] {
    check_result(model, kName);
    *model = new_model(load_model(path_of(path, kName), device));
  });
}

gpuvae_status gpuvae_model_save(const gpuvae_model* model, const char* path) {
  constexpr const char* kName = "gpuvae_model_save";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    save_model(path_of(path, kName), {record->vae, record->distributions, record->rules.height,
                                      record->rules.width, record->rules.condition, record->trained,
                                      record->metadata, record->epochs, record->exemplar_data});
  });
}

gpuvae_status gpuvae_model_free(gpuvae_model* model) {
  constexpr const char* kName = "gpuvae_model_free";
  return guarded(kName, [&] {
    if (model) remove_handle(HandleKind::model, model, kName);
  });
}

gpuvae_status gpuvae_model_set_exemplars(gpuvae_model* model, const gpuvae_array* x,
                                         const gpuvae_array* condition) {
  constexpr const char* kName = "gpuvae_model_set_exemplars";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    gpuvae::check(record->exemplars != nullptr, kName, "expected a model with the prior exemplar, got {}",
                  record->distributions.prior);
    gpuvae::check(*record->trainers == 0, kName, "expected a model without a trainer, got one with {}",
                  record->trainers->load());
    const gpuvae::BatchOptions& data = record->exemplar_data;
    const gpuvae::Dataset rows = with_condition(examples_of(x, record->rules, data.binarize, kName),
                                                condition, record->rules.condition, data.binarize, kName);
    if (const auto trained_on = training_set(*record)) check_training_rows(*trained_on, rows, kName);
    record->exemplars->set(rows.to(record->vae.device()), data);
  });
}

gpuvae_status gpuvae_model_get_info(const gpuvae_model* model, gpuvae_model_info* info) {
  constexpr const char* kName = "gpuvae_model_get_info";
  return guarded(kName, [&] {
    const auto record = model_of(model, kName);
    const std::size_t size = struct_size_of(info, kName);
    write_struct(info, size, info_of(*record));
  });
}

}  // extern "C"
