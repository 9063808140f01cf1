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

std::shared_ptr<ModelRecord> load_model(const char* path, const char* device) {
  const fs::path file = model_path(path);
  FileDescription from = read_description(file);
  const Vae vae = gpuvae::load_model(from.vae, Device::parse(device ? device : "auto"), file);
  ExampleRules rules = rules_of(vae, from.distributions, from.height, from.width);
  rules.trained_on = std::move(from.data);
  return std::make_shared<ModelRecord>(ModelRecord{.vae = vae,
                                                   .distributions = std::move(from.distributions),
                                                   .rules = std::move(rules),
                                                   .metadata = std::move(from.metadata),
                                                   .epochs = from.epochs});
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
  return info;
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
    *model = new_model(std::make_shared<ModelRecord>(ModelRecord{
        .vae = vae, .distributions = std::move(description.distributions), .rules = std::move(rules)}));
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
    save_model(path_of(path, kName),
               {record->vae, record->distributions, record->rules.height, record->rules.width,
                record->trained, record->metadata, record->epochs});
  });
}

gpuvae_status gpuvae_model_free(gpuvae_model* model) {
  constexpr const char* kName = "gpuvae_model_free";
  return guarded(kName, [&] {
    if (model) remove_handle(HandleKind::model, model, kName);
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
