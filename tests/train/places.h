// The devices and executors on which a test of the trainer runs.
#pragma once

#include <string>
#include <vector>

#include "gpuvae/train.h"
#include "kernels/backend.h"

namespace gpuvae::test {

struct Place {
  Device device;
  Executor executor;
  std::string text() const { return device.text() + ", " + std::string(name(executor)); }
};

// Eager steps on the CPU and, on a machine with a GPU, eager steps and graphs on it.
inline std::vector<Place> autograd_places() {
  std::vector<Place> all{{Device::cpu(), Executor::eager}};
  if (Device::cuda_count() > 0)
    for (const Executor e : {Executor::eager, Executor::graph}) all.push_back({Device::cuda(), e});
  return all;
}

// Those and, on a GPU that supports it, the fused step.
inline std::vector<Place> all_places() {
  std::vector<Place> all = autograd_places();
  if (Device::cuda_count() > 0 && Device::cuda().backend().fused_step_unavailable().empty())
    all.push_back({Device::cuda(), Executor::fused});
  return all;
}

inline std::vector<float> weights_of(const Vae& model) {
  std::vector<float> all;
  for (const Parameter& p : model.parameters())
    for (const float v : p.variable.value().to_vector()) all.push_back(v);
  return all;
}

// Values in (0, 1) that differ from example to example.
inline std::vector<float> example_values(std::int64_t count, std::int64_t features) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count * features; ++i)
    values.push_back(0.05f + 0.9f * static_cast<float>(i * i * 7 / 16 % 256) / 256);
  return values;
}

// Images of 4 x 4 such values.
inline Dataset example_images(std::int64_t count, Device device) {
  return {4, 4, Tensor::from(example_values(count, 16), {count, 16}, device), {}};
}

}  // namespace gpuvae::test
