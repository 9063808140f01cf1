#include <cstring>

#include "gpuvae/train.h"
#include "kernels/check.h"
#include "src/io/safetensors.h"

namespace gpuvae {

void save_parameters(const std::filesystem::path& path, std::span<const Parameter> parameters,
                     const std::map<std::string, std::string>& metadata) {
  io::TensorFile file;
  file.metadata = metadata;
  for (const Parameter& p : parameters) {
    const Tensor host = p.variable->value().to(Device::cpu());
    const auto extents = host.shape().extents();
    const auto* bytes = static_cast<const std::byte*>(host.data());
    file.tensors.push_back(
        {p.name, {host.dtype(), {extents.begin(), extents.end()}, {bytes, bytes + host.bytes()}}});
  }
  io::write_safetensors(path, file);
}

std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   std::span<const Parameter> parameters) {
  const io::TensorFile file = io::read_safetensors(path);
  std::map<std::string, const io::HostTensor*> found;
  for (const auto& [name, tensor] : file.tensors) found[name] = &tensor;
  for (const Parameter& p : parameters) {
    const Tensor& value = p.variable->value();
    const auto tensor = found.find(p.name);
    check(tensor != found.end(), "load", "{}: expected {} {}, found no tensor of that name", path.string(),
          p.name, value.shape().text());
    const Shape shape{std::span<const std::int64_t>(tensor->second->shape)};
    check(shape == value.shape() && tensor->second->dtype == value.dtype(), "load",
          "{}: expected {} {}{}, got {}{}", path.string(), p.name, name(value.dtype()), value.shape().text(),
          name(tensor->second->dtype), shape.text());
    found.erase(tensor);
  }
  check(found.empty(), "load", "{}: {} is not a parameter of this model", path.string(),
        found.empty() ? "" : found.begin()->first);
  for (const Parameter& p : parameters) {
    for (const auto& [name, tensor] : file.tensors) {
      if (name != p.name) continue;
      Tensor host = Tensor::empty(p.variable->shape(), p.variable->dtype());
      std::memcpy(host.data(), tensor.bytes.data(), tensor.bytes.size());
      p.variable->value().copy_from(host);
    }
  }
  return file.metadata;
}

}  // namespace gpuvae
