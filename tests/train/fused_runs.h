// Functions that run the same training with the fused training step and with the eager step, which consists
// of separate operations, on the same device.
#pragma once

#include "src/train/fused_step.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "gpuvae/device/random.h"
#include "gpuvae/error.h"
#include "tests/exact_allocator.h"
#include "tests/second_run.h"

namespace gpuvae::test {

struct Plan {
  VaeOptions model = {};
  OptimizerOptions optimizer = {};
  TrainOptions train = {};
  std::int64_t images = 24;
  bool floats = false;  // f32 data instead of bytes
  kernels::FusedPrecision precision = kernels::FusedPrecision::automatic;
  std::function<void(const Vae&)> prepare = {};  // changes the initial parameters
};

inline Plan plan_of(std::int64_t pixels, std::vector<std::int64_t> widths, std::int64_t latent) {
  Plan p;
  p.model.features = pixels;
  p.model.encoder_widths = std::move(widths);
  p.model.latent = latent;
  p.model.initializer.bias_std = 0.1;
  p.optimizer.learning_rate = 3e-3;
  p.train.batch_size = 10;
  p.train.data.seed = 5;
  return p;
}

inline Dataset images_of(const Plan& p, Device device) {
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  for (std::int64_t i = 0; i < p.images * p.model.features; ++i) {
    const std::uint32_t word = philox4x32(static_cast<std::uint32_t>(i), 1, 2, 3, 4).v[0];
    bytes.push_back(static_cast<std::uint8_t>(word >> 24));
    floats.push_back(uniform01(word) * 2 - 0.5f);
  }
  const Shape shape{p.images, p.model.features};
  return {1,
          static_cast<int>(p.model.features),
          p.floats ? Tensor::from(floats, shape, device) : Tensor::from(bytes, shape, device),
          {}};
}

struct Outcome {
  RunState totals;
  std::vector<double> parameters;
};

inline std::vector<double> all_parameters(Vae& model) {
  std::vector<double> all;
  for (const Parameter& p : model.parameters())
    for (double v : p.variable.value().to_doubles()) all.push_back(v);
  return all;
}

// Returns the trainer's sums and the parameters after `epochs` epochs of eager training.
inline Outcome eager(const Plan& p, int epochs) {
  const Device device = Device::best();
  Vae model(p.model, device);
  if (p.prepare) p.prepare(model);
  Optimizer optimizer(model.parameters(), p.optimizer);
  const Dataset images = images_of(p, device);
  // By default, the trainer would choose the fused step.
  TrainOptions options = p.train;
  options.executor = Executor::eager;
  Trainer trainer(model, optimizer, images, images.slice(0, 0), options);
  Outcome out;
  for (int i = 0; i < epochs; ++i) {
    const Losses losses = trainer.run_epoch().train;
    out.totals.sums[0] += losses.reconstruction * static_cast<double>(trainer.images_per_epoch());
    out.totals.sums[1] += losses.kl * static_cast<double>(trainer.images_per_epoch());
  }
  out.parameters = all_parameters(model);
  return out;
}

inline RunState read(const Tensor& bytes) {
  RunState totals;
  const Tensor host = bytes.to(Device::cpu());
  std::memcpy(&totals, host.data(), sizeof totals);
  return totals;
}

// Trains with the fused step. The device counts the steps, as in a captured graph. With a schedule, `epochs`
// must be 1.
inline Outcome fused(const Plan& p, int epochs) {
  const Device device = Device::best();
  const ExactAllocator::Scope exact(device);
  Vae model(p.model, device);
  if (p.prepare) p.prepare(model);
  Optimizer optimizer(model.parameters(), p.optimizer);
  const Dataset images = images_of(p, device);
  FusedStep step(model, optimizer, images, p.train, p.precision);
  const RunState zero;
  std::vector<std::uint8_t> bytes(sizeof zero);
  std::memcpy(bytes.data(), &zero, sizeof zero);
  const Tensor state = Tensor::from(bytes, {sizeof zero}, device);
  auto* run = static_cast<RunState*>(state.data());
  const std::int64_t full = p.images / p.train.batch_size;
  const bool ragged = p.images % p.train.batch_size != 0 && !p.train.drop_last;
  const Clock clock{0, step_counter(state), static_cast<std::uint64_t>(full + ragged)};
  Tensor factors;
  if (p.train.schedule) {
    factors = Tensor::empty({static_cast<std::int64_t>(clock.steps_per_epoch)}, DType::f64, Device::cpu());
    for (std::uint64_t i = 0; i < clock.steps_per_epoch; ++i)
      factors.data_as<double>()[i] = p.train.schedule(i);
    factors = factors.to(device);
  }
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(epochs) * clock.steps_per_epoch; ++i)
    step.enqueue({.clock = clock,
                  .updates = clock,
                  .number = i,
                  .rows = p.train.batch_size,
                  .state = run,
                  .factors = factors});
  Outcome out;
  out.totals = read(state);
  out.parameters = all_parameters(model);
  return out;
}

// Returns the largest difference between a and b, relative to the largest number in b.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::fabs(b[i]));
    difference = std::max(difference, std::isnan(a[i]) ? INFINITY : std::fabs(a[i] - b[i]));
  }
  return difference / most;
}

inline void expect_same(const Plan& p, double tolerance, const char* what) {
  const Outcome expected = eager(p, 2), got = fused(p, 2);
  for (int i = 0; i < 2; ++i) {
    const double error = std::fabs(got.totals.sums[i] / expected.totals.sums[i] - 1);
    EXPECT_TRUE(error <= tolerance) << what << ": sum " << i << " is " << got.totals.sums[i] << ", expected "
                                    << expected.totals.sums[i] << ", error " << error;
  }
  const double error = distance(got.parameters, expected.parameters);
  EXPECT_TRUE(error <= tolerance) << what << ": parameters differ by " << error;
  EXPECT_EQ(got.totals.bad_step, 0u) << what;
}

// Adam divides by the root of the mean square, so a gradient near zero moves a parameter as far as any other
// gradient, in a direction that rounding decides. A large epsilon prevents this.
inline OptimizerOptions damped(OptimizerKind kind) {
  OptimizerOptions o = OptimizerOptions::defaults(kind);
  o.learning_rate = 1e-2;
  o.epsilon = 1e-3;
  return o;
}

#define SKIP_WITHOUT_TENSOR_CORES() \
  if (!Device::best().backend().supports(Precision::tf32)) GTEST_SKIP() << "no tensor cores for TF32"
#define SKIP_WITHOUT_GPU() \
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU"

// The limit of the relative errors of sums and parameters after two epochs. The fused and the eager step
// differ only in the order of summation. On the emulated device, errors are at most 3.2e-6 for RMSprop, whose
// first updates depend on little more than the signs of the gradients, and at most 5e-7 otherwise.
inline constexpr double kTolerance = 1e-5;

}  // namespace gpuvae::test
