#include <algorithm>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstring>

#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/io/safetensors.h"

namespace gpuvae {
namespace {

constexpr const char* kStates[] = {"optimizer.state1", "optimizer.state2"};
// Tensors with the layout of Optimizer::values(): the moving average, and the weights of the best epoch.
constexpr const char *kAverage = "optimizer.average", *kBest = "optimizer.best";
// Version 1 had no checksum and no steps within an epoch.
constexpr int kVersion = 2;

void check_finite(Origin origin, const std::filesystem::path& path, const std::string& key,
                  const io::HostTensor& tensor) {
  if (tensor.dtype != DType::f32) return;
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    check(std::isfinite(values[i]), origin, "{}: expected finite values, got {} in {} at element {}",
          path.string(), values[i], key, i);
}

// Checks that all values are finite, and writes the tensors with a checksum.
void write_checked(const std::filesystem::path& path, io::TensorFile file, Durability durability) {
  for (const auto& [key, tensor] : file.tensors) check_finite("save", path, key, tensor);
  file.metadata[io::kChecksumKey] = io::checksum_of(file);
  io::write_safetensors(path, file, durability == Durability::power_loss ? io::Sync::yes : io::Sync::no);
}

std::pair<std::string, io::HostTensor> host_copy(const std::string& name, const Tensor& tensor) {
  const Tensor host = tensor.to(Device::cpu());
  const auto extents = host.shape().extents();
  const auto* bytes = static_cast<const std::byte*>(host.data());
  return {name, {host.dtype(), {extents.begin(), extents.end()}, {bytes, bytes + host.bytes()}}};
}

void copy_to(const Tensor& to, const io::HostTensor& from) {
  Tensor host = Tensor::empty(to.shape(), to.dtype());
  std::memcpy(host.data(), from.bytes.data(), from.bytes.size());
  to.copy_from(host);
}

const io::HostTensor* find(const io::TensorFile& file, const std::string& name) {
  for (const auto& [key, tensor] : file.tensors)
    if (key == name) return &tensor;
  return nullptr;
}

const io::HostTensor& expected(const io::TensorFile& file, const std::filesystem::path& path,
                               const std::string& key, const Tensor& like) {
  const io::HostTensor* found = find(file, key);
  check(found != nullptr, file_error("load"), "{}: expected {} {}, found no tensor of that name",
        path.string(), key, like.shape());
  const Shape shape{std::span<const std::int64_t>(found->shape)};
  check(shape == like.shape() && found->dtype == like.dtype(), file_error("load"),
        "{}: expected {} {}{}, got {}{}", path.string(), key, name(like.dtype()), like.shape(),
        name(found->dtype), shape);
  check_finite(file_error("load"), path, key, *found);
  return *found;
}

// Checks every tensor before it copies the first one, so that an error changes nothing.
void restore(const io::TensorFile& file, const std::filesystem::path& path,
             std::span<const Parameter> parameters) {
  for (const Parameter& p : parameters) expected(file, path, p.name, p.variable.value());
  for (const auto& [key, tensor] : file.tensors) {
    const bool known = key.rfind("optimizer.", 0) == 0 ||
                       std::any_of(parameters.begin(), parameters.end(),
                                   [&, &name = key](const Parameter& p) { return p.name == name; });
    check(known, file_error("load"), "{}: {} is not a parameter of this model", path.string(), key);
  }
  for (const Parameter& p : parameters)
    copy_to(p.variable.value(), expected(file, path, p.name, p.variable.value()));
}

// Reads the metadata of a checkpoint.
class Metadata {
 public:
  Metadata(const io::TensorFile& file, const std::filesystem::path& path)
      : values_(file.metadata), path_(path.string()) {}

  std::string text(const char* key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }
  template <class T>
  T number(const char* key) const {
    const std::string value = text(key);
    T number{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    check(error == std::errc() && end == value.data() + value.size(), file_error("load"),
          "{}: expected a number in metadata field {}, got {}", path_, key,
          value.empty() ? "nothing" : value);
    return number;
  }

 private:
  const std::map<std::string, std::string>& values_;
  std::string path_;
};

// Reads how far the run had come. A checkpoint with a format version must also have a checksum, so that no
// damage to the metadata goes unnoticed.
TrainingState state_of(const Metadata& metadata, const std::filesystem::path& path) {
  const bool versioned = !metadata.text("format_version").empty();
  const int version = versioned ? metadata.number<int>("format_version") : 1;
  check(version >= 1 && version <= kVersion, file_error("load"),
        "{}: expected format version 1 to {}, got {}: a newer version of gpuvae wrote this file",
        path.string(), kVersion, version);
  check(!versioned || !metadata.text(io::kChecksumKey).empty(), file_error("load"),
        "{}: expected a checksum, found none", path.string());
  const auto epochs = metadata.number<std::uint64_t>("epochs");
  check(epochs <= INT_MAX, file_error("load"), "{}: expected at most {} epochs, got {}", path.string(),
        INT_MAX, epochs);
  TrainingState state{.epochs = static_cast<int>(epochs)};
  if (version == 1) return state;
  state.steps = metadata.number<std::uint64_t>("epoch_steps");
  state.reconstruction = metadata.number<double>("epoch_reconstruction");
  state.kl = metadata.number<double>("epoch_kl");
  state.seconds = metadata.number<double>("epoch_seconds");
  // Checkpoints from before TrainOptions::objective have no such number.
  if (!metadata.text("epoch_objective").empty()) state.objective = metadata.number<double>("epoch_objective");
  // Checkpoints from before TrainOptions::on_nan have no such numbers.
  const auto count = [&](const char* key) {
    return metadata.text(key).empty() ? 0 : metadata.number<std::uint64_t>(key);
  };
  state.skipped = count("skipped");
  state.epoch_skipped = count("epoch_skipped");
  state.epoch_skipped_images = count("epoch_skipped_images");
  state.rewinds = static_cast<int>(std::min<std::uint64_t>(count("rewinds"), kMaxRewinds));
  return state;
}

// The best epoch and the moving average, on the optimiser's device, of a run that has them.
void read_extra_weights(const io::TensorFile& file, const std::filesystem::path& path,
                        const Optimizer& optimizer, TrainingState& state) {
  const Metadata metadata(file, path);
  const auto tensor = [&](const char* key) {
    const Tensor result = optimizer.values().clone();
    copy_to(result, expected(file, path, key, result));
    return result;
  };
  if (find(file, kAverage)) state.average = tensor(kAverage);
  if (!find(file, kBest)) return;
  state.best.epoch = metadata.number<int>("best_epoch");
  state.best.loss = metadata.number<double>("best_loss");
  state.best.waited = metadata.number<int>("best_waited");
  check(state.best.epoch >= 1 && state.best.epoch <= state.epochs && state.best.waited >= 0,
        file_error("load"), "{}: expected a best epoch from 1 to {}, got {}", path.string(), state.epochs,
        state.best.epoch);
  state.best.weights = tensor(kBest);
}

// Older checkpoints do not name their optimiser. For them, this function only rejects a second state tensor
// that the optimiser does not have.
void check_same_optimizer(const io::TensorFile& file, const std::filesystem::path& path,
                          const Optimizer& optimizer) {
  const auto expected = name(optimizer.options().kind);
  const std::string saved = Metadata(file, path).text("optimizer");
  check(saved.empty() || saved == expected, file_error("load"),
        "{}: expected the state of optimiser {}, got that of {}", path.string(), expected, saved);
  check(optimizer.state2() || !find(file, kStates[1]), file_error("load"),
        "{}: expected the state of optimiser {}, got that of adam or adamw", path.string(), expected);
}

}  // namespace

void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata, Durability durability) {
  io::TensorFile file;
  file.metadata = metadata;
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable.value()));
  write_checked(path, std::move(file), durability);
}

std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   std::span<const Parameter> parameters) {
  const io::TensorFile file = io::read_safetensors(path);
  for (const char* state : kStates)
    check(!find(file, state), file_error("load"), "{}: {} is not a parameter of this model", path.string(),
          state);
  restore(file, path, parameters);
  return file.metadata;
}

void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, const TrainingState& state,
                     const std::map<std::string, std::string>& metadata, Durability durability) {
  check(state.epochs >= 0, "save_checkpoint", "expected 0 or more epochs, got {}", state.epochs);
  io::TensorFile file;
  file.metadata = {{"format", "gpuvae checkpoint"},
                   {"format_version", std::to_string(kVersion)},
                   {"epochs", std::to_string(state.epochs)},
                   {"epoch_steps", std::to_string(state.steps)},
                   {"epoch_reconstruction", fmt::format("{}", state.reconstruction)},
                   {"epoch_kl", fmt::format("{}", state.kl)},
                   {"epoch_objective", fmt::format("{}", state.objective)},
                   {"epoch_seconds", fmt::format("{}", state.seconds)},
                   {"skipped", std::to_string(state.skipped)},
                   {"epoch_skipped", std::to_string(state.epoch_skipped)},
                   {"epoch_skipped_images", std::to_string(state.epoch_skipped_images)},
                   {"rewinds", std::to_string(state.rewinds)},
                   {"steps", std::to_string(optimizer.steps())},
                   {"optimizer", std::string(name(optimizer.options().kind))},
                   {"learning_rate", fmt::format("{}", optimizer.learning_rate())}};
  for (const auto& [key, value] : metadata)
    check(file.metadata.emplace(key, value).second, "save_checkpoint",
          "expected metadata keys that the checkpoint does not use, got {}", key);
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable.value()));
  const Tensor states[] = {optimizer.state1(), optimizer.state2()};
  for (int i : {0, 1})
    if (states[i]) file.tensors.push_back(host_copy(kStates[i], states[i]));
  if (state.average) file.tensors.push_back(host_copy(kAverage, state.average));
  if (state.best.weights) {
    file.tensors.push_back(host_copy(kBest, state.best.weights));
    file.metadata["best_epoch"] = std::to_string(state.best.epoch);
    file.metadata["best_loss"] = fmt::format("{}", state.best.loss);
    file.metadata["best_waited"] = std::to_string(state.best.waited);
  }
  write_checked(path, std::move(file), durability);
}

void save_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const Optimizer& optimizer, int epochs) {
  save_checkpoint(path, parameters, optimizer, TrainingState{.epochs = epochs});
}

TrainingState restore_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                                 Optimizer& optimizer) {
  const io::TensorFile file = io::read_safetensors(path);
  const Metadata metadata(file, path);
  TrainingState state = state_of(metadata, path);
  check_same_optimizer(file, path, optimizer);
  read_extra_weights(file, path, optimizer, state);
  const auto steps = metadata.number<std::uint64_t>("steps");
  double learning_rate = optimizer.learning_rate();
  if (!metadata.text("learning_rate").empty()) learning_rate = metadata.number<double>("learning_rate");
  check(learning_rate > 0 && std::isfinite(learning_rate), file_error("load"),
        "{}: expected a learning rate above 0, got {}", path.string(), learning_rate);
  Tensor states[] = {optimizer.state1(), optimizer.state2()};
  for (int i : {0, 1}) {
    if (!states[i]) continue;
    const io::HostTensor& saved = expected(file, path, kStates[i], states[i]);
    states[i] = states[i].clone();
    copy_to(states[i], saved);
  }
  restore(file, path, parameters);
  optimizer.restore(steps, states[0], states[1]);
  optimizer.set_learning_rate(learning_rate);
  return state;
}

int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer) {
  const io::TensorFile file = io::read_safetensors(path);
  const TrainingState state = state_of(Metadata(file, path), path);
  check(state.steps == 0, file_error("load"),
        "{}: expected a checkpoint between two epochs, got one after step {} of epoch {}", path.string(),
        state.steps, std::int64_t{state.epochs} + 1);
  return restore_checkpoint(path, parameters, optimizer).epochs;
}

}  // namespace gpuvae
