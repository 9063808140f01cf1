// Kernels that take four elements at a time, on arrays that are not aligned to 16 bytes or not a multiple of
// four long: every device against the CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/exact_allocator.h"

namespace gpuvae {
namespace {

constexpr std::int64_t kSize = 20'003;  // several elements for each thread of a launch on a small GPU

// `size` numbers in (low, high) that begin `offset` elements into their memory.
Tensor numbers(std::uint64_t seed, double low, double high, Device device, std::int64_t offset,
               std::int64_t size = kSize) {
  const Tensor all = random_uniform({size + offset}, {.seed = seed}, low, high);
  return all.to(device).slice(offset, size);
}

using Run = std::function<std::vector<Tensor>(Device, std::int64_t offset)>;

void expect_same(const Run& run, const std::string& what) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  for (const std::int64_t offset : {0, 1}) {
    const std::vector<Tensor> expected = run(Device::cpu(), offset);
    const ExactAllocator::Scope exact(Device::cuda());
    const std::vector<Tensor> got = run(Device::cuda(), offset);
    for (std::size_t t = 0; t < expected.size(); ++t) {
      const auto want = expected[t].to_doubles(), have = got[t].to_doubles();
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_TRUE(std::fabs(have[i] - want[i]) <= 2e-6 * std::fabs(want[i]) + 2e-6)
            << what << ", offset " << offset << ", array " << t << ", element " << i << ": " << have[i]
            << ", expected " << want[i];
    }
  }
}

TEST(AlignmentDevice, ScaledSums) {
  for (const double beta : {0.0, -0.5}) {
    expect_same(
        [=](Device device, std::int64_t offset) {
          const Tensor x = numbers(1, -2, 2, device, offset), y = numbers(2, -2, 2, device, offset);
          device.backend().axpby({.size = kSize, .alpha = 1.5, .beta = beta, .x = x.data(), .y = y.data()},
                                 Stream::current(device).handle());
          return std::vector{y};
        },
        "axpby");
  }
}

TEST(AlignmentDevice, OptimizerUpdates) {
  for (int kind = 0; kind < 6; ++kind) {
    expect_same(
        [=](Device device, std::int64_t offset) {
          const Tensor p = numbers(1, -1, 1, device, offset), g = numbers(2, -1, 1, device, offset),
                       s1 = numbers(3, 0.1, 1, device, offset), s2 = numbers(4, 0.1, 1, device, offset);
          kernels::OptimizerArgs args{.kind = OptimizerKind(kind), .size = kSize, .decayed = kSize - 2};
          args.learning_rate = 0.01;
          args.decay = 0.1;
          args.parameters = p.data();
          args.gradients = g.data();
          args.state1 = s1.data();
          args.state2 = s2.data();
          device.backend().optimizer_step(args, Stream::current(device).handle());
          return std::vector{p, s1, s2};
        },
        std::string(name(OptimizerKind(kind))));
  }
}

TEST(AlignmentDevice, GradientsThroughActivations) {
  for (int a = 0; a < 6; ++a) {
    expect_same(
        [=](Device device, std::int64_t offset) {
          const Tensor y = numbers(1, -0.95, 0.95, device, offset), d = numbers(2, -1, 1, device, offset);
          device.backend().activation_backward({.rows = 1,
                                                .columns = kSize,
                                                .activation = Activation(a),
                                                .output = y.data(),
                                                .d_output = d.data(),
                                                .d_input = d.data()},
                                               Stream::current(device).handle());
          return std::vector{d};
        },
        std::string(name(Activation(a))));
  }
}

// Rows that fill the last tile, or the last pass of a loop over rows, and such that do not.
TEST(AlignmentDevice, BiasGradientsThroughActivations) {
  for (int a = 0; a < 6; ++a)
    for (const std::int64_t columns : {5, 8})
      for (const std::int64_t rows : {1, 7, 8, 16, 33, 64}) {
        expect_same(
            [=](Device device, std::int64_t offset) {
              const std::int64_t size = rows * columns;
              const Tensor y = numbers(1, -0.95, 0.95, device, offset, size),
                           d = numbers(2, -1, 1, device, offset, size),
                           bias = Tensor::zeros({columns}, DType::f32, device);
              device.backend().activation_backward({.rows = rows,
                                                    .columns = columns,
                                                    .activation = Activation(a),
                                                    .output = y.data(),
                                                    .d_output = d.data(),
                                                    .d_input = d.data(),
                                                    .d_bias = bias.data()},
                                                   Stream::current(device).handle());
              return std::vector{d, bias};
            },
            std::string(name(Activation(a))) + ", " + std::to_string(rows) + " rows");
      }
}

TEST(AlignmentDevice, NormsForClipping) {
  expect_same(
      [](Device device, std::int64_t offset) {
        const Tensor x = numbers(1, -1, 1, device, offset), scale = Tensor::zeros({1}, DType::f32, device),
                     norm = Tensor::zeros({1}, DType::f32, device);
        device.backend().clip(
            {.size = kSize, .max_norm = 2, .x = x.data(), .scale = scale.data(), .norm = norm.data()},
            Stream::current(device).handle());
        return std::vector{scale, norm};
      },
      "clip");
}

}  // namespace
}  // namespace gpuvae
