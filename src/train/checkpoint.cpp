#include <algorithm>
#include <charconv>
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

// All or nothing: every tensor is checked before the first is copied.
void restore(const io::TensorFile& file, const std::filesystem::path& path,
             std::span<const Parameter> parameters) {
  for (const Parameter& p : parameters) expected(file, path, p.name, p.variable->value());
  for (const auto& [key, tensor] : file.tensors) {
    const bool known = key.rfind("optimizer.", 0) == 0 ||
                       std::any_of(parameters.begin(), parameters.end(),
                                   [&, &name = key](const Parameter& p) { return p.name == name; });
    check(known, file_error("load"), "{}: {} is not a parameter of this model", path.string(), key);
  }
  for (const Parameter& p : parameters)
    copy_to(p.variable->value(), expected(file, path, p.name, p.variable->value()));
}

}  // namespace

void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata) {
  io::TensorFile file;
  file.metadata = metadata;
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable->value()));
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
  io::TensorFile file;
  file.metadata = {{"format", "gpuvae checkpoint"},
                   {"epochs", std::to_string(epochs)},
                   {"steps", std::to_string(optimizer.steps())}};
  for (const Parameter& p : parameters) file.tensors.push_back(host_copy(p.name, p.variable->value()));
  const Tensor states[] = {optimizer.state1(), optimizer.state2()};
  for (int i : {0, 1})
    if (states[i]) file.tensors.push_back(host_copy(kStates[i], states[i]));
  io::write_safetensors(path, file);
}

int load_checkpoint(const std::filesystem::path& path, std::span<const Parameter> parameters,
                    Optimizer& optimizer) {
  const io::TensorFile file = io::read_safetensors(path);
  const auto number = [&](const char* key) {
    const auto found = file.metadata.find(key);
    std::uint64_t value = 0;
    const std::string text = found == file.metadata.end() ? "nothing" : found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc() && end == text.data() + text.size(), file_error("load"),
          "{}: expected a number of {}, got {}", path.string(), key, text);
    return value;
  };
  const std::uint64_t steps = number("steps"), epochs = number("epochs");
  Tensor states[] = {optimizer.state1(), optimizer.state2()};
  for (int i : {0, 1}) {
    if (!states[i]) continue;
    const io::HostTensor& saved = expected(file, path, kStates[i], states[i]);
    states[i] = states[i].clone();
    copy_to(states[i], saved);
  }
  restore(file, path, parameters);
  optimizer.restore(steps, states[0], states[1]);
  return static_cast<int>(epochs);
}

}  // namespace gpuvae
