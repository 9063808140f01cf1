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

// Older checkpoints do not name their optimiser; for them, only the presence of a second state tensor is
// checked.
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
                     const std::map<std::string, std::string>& metadata) {
  io::TensorFile file;
  file.metadata = metadata;
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable.value()));
  io::write_safetensors(path, file);
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
                     const Optimizer& optimizer, int epochs) {
  check(epochs >= 0, "save_checkpoint", "expected 0 or more epochs, got {}", epochs);
  io::TensorFile file;
  file.metadata = {{"format", "gpuvae checkpoint"},
                   {"epochs", std::to_string(epochs)},
                   {"steps", std::to_string(optimizer.steps())},
                   {"optimizer", std::string(name(optimizer.options().kind))},
                   {"learning_rate", fmt::format("{}", optimizer.learning_rate())}};
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable.value()));
  const Tensor states[] = {optimizer.state1(), optimizer.state2()};
  for (int i : {0, 1})
    if (states[i]) file.tensors.push_back(host_copy(kStates[i], states[i]));
  io::write_safetensors(path, file);
}

int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer) {
  const io::TensorFile file = io::read_safetensors(path);
  check_same_optimizer(file, path, optimizer);
  const Metadata metadata(file, path);
  const auto steps = metadata.number<std::uint64_t>("steps");
  const auto epochs = metadata.number<std::uint64_t>("epochs");
  check(epochs <= INT_MAX, file_error("load"), "{}: expected at most {} epochs, got {}", path.string(),
        INT_MAX, epochs);
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
  return static_cast<int>(epochs);
}

}  // namespace gpuvae
