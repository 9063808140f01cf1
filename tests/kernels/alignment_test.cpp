// Compares kernels that process four elements at a time with the CPU, on arrays that are not aligned to 16
// bytes or whose size is not a multiple of four.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "kernels/math/functions.h"
#include "tests/exact_allocator.h"

namespace gpuvae {
namespace {

constexpr std::int64_t kSize = 20'003;  // several elements per thread of a launch on a small GPU

// Returns `size` numbers in (low, high) that begin `offset` elements after the beginning of their memory.
Tensor numbers(std::uint64_t seed, double low, double high, Device device, std::int64_t offset,
               std::int64_t size = kSize) {
  const Tensor all = random_uniform({size + offset}, {.seed = seed}, low, high);
  return all.to(device).slice(offset, size);
}

using Run = std::function<std::vector<Tensor>(Device, std::int64_t offset)>;

void expect_same_on_devices(const Run& run, const std::string& what) {
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

TEST(AlignmentDevice, ScaledSumsOfTwoTensors) {
  for (const double beta : {0.0, -0.5}) {
    expect_same_on_devices(
        [=](Device device, std::int64_t offset) {
          const Tensor x = numbers(1, -2, 2, device, offset), y = numbers(2, -2, 2, device, offset);
          device.backend().axpby({.size = kSize, .alpha = 1.5, .beta = beta, .x = x.data(), .y = y.data()},
                                 Stream::current(device).handle());
          return std::vector{y};
        },
        "axpby");
  }
}

TEST(AlignmentDevice, FunctionsAndTheirDerivatives) {
  using kernels::Unary;
  for (int f = 0; f <= static_cast<int>(Unary::continuous_bernoulli_mean); ++f) {
    expect_same_on_devices(
        [=](Device device, std::int64_t offset) {
          const Tensor x = numbers(1, 0.1, 3, device, offset), y = numbers(2, 0, 1, device, offset),
                       d = numbers(3, -1, 1, device, offset);
          kernels::UnaryArgs args{.operation = Unary(f), .size = kSize, .a = 0.5, .b = 2};
          args.x = x.data();
          args.y = y.data();
          device.backend().unary(args, Stream::current(device).handle());
          kernels::UnaryBackwardArgs back{.operation = Unary(f), .size = kSize, .a = 0.5, .b = 2};
          back.saved = math::slope_from_output(Unary(f)) ? y.data() : x.data();
          back.d_y = d.data();
          back.d_x = d.data();
          device.backend().unary_backward(back, Stream::current(device).handle());
          return std::vector{y, d};
        },
        "function " + std::to_string(f));
  }
}

// A separate kernel applies the biases and activations that cuBLASLt cannot fuse into a product. It processes
// rows of four columns as vectors, and rows of five columns element by element.
TEST(AlignmentDevice, BiasesAndActivationsAfterMatrixProducts) {
  for (const Activation activation : all_activations())
    for (const std::int64_t columns : {4, 5})
      for (const bool biased : {false, true})
        for (const std::int64_t depth : {3, 1}) {  // cuBLASLt does not compute products of depth 1
          expect_same_on_devices(
              [=](Device device, std::int64_t offset) {
                const std::int64_t rows = kSize / columns;
                const Tensor x = numbers(1, -1, 1, device, offset, rows * depth),
                             w = numbers(2, -2, 2, device, offset, columns * depth),
                             bias = numbers(3, -1, 1, device, offset, columns),
                             y = numbers(4, 0, 1, device, offset, rows * columns);
                kernels::GemmArgs args{.m = rows, .n = columns, .k = depth};
                args.a = x.data();
                args.b = w.data();
                args.c = y.data();
                if (biased) args.bias = bias.data();
                args.activation = activation;
                const Tensor input = numbers(5, 0, 1, device, offset, rows * columns);
                if (!math::slope_from_output(activation)) args.activation_input = input.data();
                device.backend().gemm(args, Stream::current(device).handle());
                return std::vector{y, input};
              },
              fmt::format("{} of {} columns", name(activation), columns));
        }
}

TEST(AlignmentDevice, PosteriorsAndTheirGradients) {
  for (int scale = 0; scale <= static_cast<int>(PosteriorScale::softplus); ++scale)
    for (const std::int64_t latent : {4, 5, 8})
      for (const bool given : {false, true}) {  // with drawn noise and with given noise
        expect_same_on_devices(
            [=](Device device, std::int64_t offset) {
              const std::int64_t rows = kSize / 8, size = rows * latent;
              const Tensor posterior_params = numbers(1, -1, 0, device, offset, 2 * size),
                           epsilon = numbers(2, -2, 2, device, offset, size),
                           d_z = numbers(3, -1, 1, device, offset, size), z = d_z.clone(),
                           d_posterior_params = posterior_params.clone(),
                           kl = Tensor::zeros({1}, DType::f32, device);
              kernels::PosteriorBackwardArgs args{.d_kl = 0.5};
              args.forward.scale = PosteriorScale(scale);
              args.forward.rows = rows;
              args.forward.latent = latent;
              args.forward.kl_weight = 1e-4;
              if (given) args.forward.epsilon = epsilon.data();
              if (!given && latent == 8) args.forward.noise_std = 0;
              args.forward.posterior_params = posterior_params.data();
              args.forward.z = z.data();
              args.forward.kl = kl.data();
              args.d_z = d_z.data();
              args.d_posterior_params = d_posterior_params.data();
              const auto stream = Stream::current(device).handle();
              device.backend().posterior(args.forward, stream);
              device.backend().posterior_backward(args, stream);
              return std::vector{z, kl, d_posterior_params};
            },
            fmt::format("scale {}, latent {}", scale, latent));
      }
}

TEST(AlignmentDevice, ElementwiseArithmeticAndFilling) {
  using kernels::Binary;
  for (const Binary f : {Binary::add, Binary::subtract, Binary::multiply, Binary::divide}) {
    expect_same_on_devices(
        [=](Device device, std::int64_t offset) {
          const Tensor a = numbers(1, -3, 3, device, offset), b = numbers(2, 1, 3, device, offset);
          device.backend().binary(
              {.operation = f, .rows = 1, .columns = kSize, .a = a.data(), .b = b.data(), .out = a.data()},
              Stream::current(device).handle());
          b.fill(7);
          return std::vector{a, b};
        },
        "operation " + std::to_string(static_cast<int>(f)));
  }
}

TEST(AlignmentDevice, RowsColumnsAndScalarsAsOperands) {
  using kernels::Binary;
  using kernels::Broadcast;
  for (const Binary f : {Binary::add, Binary::subtract, Binary::multiply, Binary::divide})
    for (const std::int64_t columns : {8, 9})
      for (const std::int64_t rows : {4, 2200})
        for (int i = 0; i < 16; ++i) {
          const auto of_a = Broadcast(i / 4), of_b = Broadcast(i % 4);
          expect_same_on_devices(
              [=](Device device, std::int64_t offset) {
                const Tensor a = numbers(1, -3, 3, device, offset, rows * columns),
                             b = numbers(2, 1, 3, device, offset, rows * columns), out = a.clone();
                kernels::BinaryArgs args{.operation = f, .rows = rows, .columns = columns};
                args.a = a.data();
                args.b = b.data();
                args.out = out.data();
                args.broadcast_a = of_a;
                args.broadcast_b = of_b;
                device.backend().binary(args, Stream::current(device).handle());
                return std::vector{out};
              },
              fmt::format("operation {}, broadcasts {}, {} columns", static_cast<int>(f), i, columns));
        }
}

// Includes a late step, at which the powers of Adam's betas underflow to 0.
TEST(AlignmentDevice, OptimizerUpdates) {
  for (int i = 0; i < 36; ++i) {
    const int kind = i / 6;
    const std::uint64_t step = i % 2 == 0 ? 3 : 5'000'000;
    const std::int64_t decayed = i % 3 == 0 ? 0 : i % 3 == 1 ? kSize - 2 : kSize;
    expect_same_on_devices(
        [=](Device device, std::int64_t offset) {
          const Tensor p = numbers(1, -1, 1, device, offset), g = numbers(2, -1, 1, device, offset),
                       s1 = numbers(3, 0.1, 1, device, offset), s2 = numbers(4, 0.1, 1, device, offset);
          kernels::OptimizerArgs args{.kind = OptimizerKind(kind), .size = kSize, .decayed = decayed};
          args.learning_rate = 0.01;
          args.clock.step = step;
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

TEST(AlignmentDevice, AveragesOfWeights) {
  expect_same_on_devices(
      [=](Device device, std::int64_t offset) {
        const Tensor p = numbers(1, -1, 1, device, offset), a = numbers(2, -1, 1, device, offset);
        kernels::AverageArgs args{.size = kSize, .decay = 0.9};
        args.clock.step = 40;
        args.parameters = p.data();
        args.average = a.data();
        device.backend().average(args, Stream::current(device).handle());
        return std::vector{a};
      },
      "average");
}

// With these sizes, a thread processes one to four elements, so that every part of the unrolled loop runs.
TEST(AlignmentDevice, GradientsThroughActivations) {
  for (const Activation activation : all_activations())
    for (const std::int64_t size : {kSize, std::int64_t{7000}, std::int64_t{13000}})
      expect_same_on_devices(
          [=](Device device, std::int64_t offset) {
            const Tensor y = numbers(1, -0.95, 0.95, device, offset, size),
                         d = numbers(2, -1, 1, device, offset, size);
            device.backend().activation_backward({.rows = 1,
                                                  .columns = size,
                                                  .activation = activation,
                                                  .saved = y.data(),
                                                  .d_output = d.data(),
                                                  .d_input = d.data()},
                                                 Stream::current(device).handle());
            return std::vector{d};
          },
          std::string(name(activation)));
}

// Some of these numbers of rows fill the last tile and the last iteration of the loop over rows; others do
// not.
TEST(AlignmentDevice, BiasGradientsThroughActivations) {
  for (const Activation activation : all_activations())
    for (const std::int64_t columns : {5, 8})
      for (const std::int64_t rows : {1, 7, 8, 16, 33, 64}) {
        expect_same_on_devices(
            [=](Device device, std::int64_t offset) {
              const std::int64_t size = rows * columns;
              const Tensor y = numbers(1, -0.95, 0.95, device, offset, size),
                           d = numbers(2, -1, 1, device, offset, size),
                           bias = Tensor::zeros({columns}, DType::f32, device);
              device.backend().activation_backward({.rows = rows,
                                                    .columns = columns,
                                                    .activation = activation,
                                                    .saved = y.data(),
                                                    .d_output = d.data(),
                                                    .d_input = d.data(),
                                                    .d_bias = bias.data()},
                                                   Stream::current(device).handle());
              return std::vector{d, bias};
            },
            std::string(name(activation)) + ", " + std::to_string(rows) + " rows");
      }
}

TEST(AlignmentDevice, NormsForClipping) {
  expect_same_on_devices(
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
