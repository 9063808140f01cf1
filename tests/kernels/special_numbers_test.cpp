// Tests kernels with NaN, infinite and extreme numbers: metrics, posteriors whose scales underflow or
// overflow, and the derivatives of gamma functions below 0.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/devices.h"
#include "tests/kernels/numbers.h"

namespace gpuvae {
namespace {

using test::devices;
using test::place;

using Doubles = std::vector<double>;

// ---- metrics ----

// Runs accumulate_metrics with four terms at step 4 + 3. Returns the totals, the number of the first step
// that is not finite (0 if there is none), and the counters `advance` and `step`.
Doubles metrics_of(const Doubles& terms, Device device) {
  const Tensor values = place(terms, {4}, device);
  const auto bytes = [&](std::uint64_t number) {
    std::vector<std::uint8_t> all(sizeof number);
    std::memcpy(all.data(), &number, sizeof number);
    return Tensor::from(all, {sizeof number}, device);
  };
  const Tensor step = bytes(3), advance = bytes(11), bad = bytes(0);
  const Tensor totals = Tensor::from(Doubles{1, 2, 3, 4}, {4}).to(device);
  kernels::MetricsArgs args{.count = 4, .weights = {2, 3, 5, 7}};
  for (int i = 0; i < 4; ++i) args.terms[i] = static_cast<const float*>(values.data()) + i;
  args.clock = {.step = 4, .device_step = static_cast<const std::uint64_t*>(step.data())};
  args.totals = static_cast<double*>(totals.data());
  args.bad_step = static_cast<std::uint64_t*>(bad.data());
  args.advance = static_cast<std::uint64_t*>(advance.data());
  device.backend().accumulate_metrics(args, Stream::current(device).handle());
  Doubles all = totals.to_doubles();
  for (const Tensor& counter : {bad, advance, step}) all.push_back(counter.to_doubles()[0]);
  return all;
}

TEST(UnrolledDevice, MetricsOfFourTerms) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const Device device : devices()) {
    EXPECT_EQ(metrics_of({1, 10, -100, 1000}, device), (Doubles{3, 32, -497, 7004, 0, 12, 3}));
    for (const double bad : {kInfinity, -kInfinity})
      for (std::size_t term = 0; term < 4; ++term) {
        Doubles terms{1, 10, -100, 1000};
        terms[term] = bad;
        const Doubles got = metrics_of(terms, device);
        EXPECT_EQ(got[term], bad) << device.text() << ", term " << term;
        EXPECT_EQ(got[4], 8) << device.text() << ", term " << term;
        EXPECT_EQ(got[5], 12) << device.text() << ", term " << term;
      }
  }
}

// ---- NaN and extreme values ----

// A NaN scale makes its own sample and the KL divergence NaN, but no other sample.
TEST(UnrolledDevice, NanScalesPropagateToSampleAndKl) {
  constexpr std::int64_t kRows = 3;
  for (const Device device : devices())
    for (const std::int64_t latent : {4, 5})
      for (int scale = 0; scale <= static_cast<int>(PosteriorScale::softplus); ++scale)
        for (std::int64_t bad = 0; bad < latent; ++bad) {
          const std::int64_t size = kRows * latent;
          Doubles params(static_cast<std::size_t>(2 * size), 0.5);
          params[static_cast<std::size_t>(3 * latent + bad)] = std::nan("");
          const Tensor x = place(params, {kRows, 2 * latent}, device),
                       epsilon = place(Doubles(static_cast<std::size_t>(size), 1.0), {size}, device),
                       z = place(Doubles(static_cast<std::size_t>(size), 0.0), {size}, device),
                       kl = place({0}, {1}, device);
          kernels::PosteriorArgs args;
          args.scale = PosteriorScale(scale);
          args.rows = kRows;
          args.latent = latent;
          args.kl_weight = 1;
          args.epsilon = epsilon.data();
          args.posterior_params = x.data();
          args.z = z.data();
          args.kl = kl.data();
          device.backend().posterior(args, Stream::current(device).handle());
          const Doubles samples = z.to_doubles();
          for (std::int64_t i = 0; i < size; ++i)
            EXPECT_EQ(std::isnan(samples[static_cast<std::size_t>(i)]), i == latent + bad)
                << device.text() << ", scale " << scale << ", latent " << latent << ", sample " << i;
          EXPECT_TRUE(std::isnan(kl.to_doubles()[0])) << device.text() << ", scale " << scale;
        }
}

// sigma underflows to 0 or overflows. An overflow must not appear as a slope of 0.
TEST(UnrolledDevice, PosteriorsOfExtremeScales) {
  constexpr std::int64_t kRows = 3;
  for (const Device device : devices())
    for (const std::int64_t latent : {4, 5})
      for (const bool log_variance : {false, true})
        for (const double extreme : {-300.0, 200.0}) {
          const auto size = static_cast<std::size_t>(kRows * latent);
          Doubles params;
          for (std::size_t i = 0; i < 2 * size; ++i)
            params.push_back(static_cast<std::int64_t>(i) % (2 * latent) < latent ? 0.5 : extreme);
          const Tensor x = place(params, {kRows, 2 * latent}, device),
                       ones = place(Doubles(size, 1.0), {kRows * latent}, device),
                       z = place(Doubles(size, 0.0), {kRows * latent}, device),
                       gradient = place(params, {kRows, 2 * latent}, device), kl = place({0}, {1}, device);
          kernels::PosteriorBackwardArgs args;
          args.forward.scale = log_variance ? PosteriorScale::log_variance : PosteriorScale::log_sigma;
          args.forward.rows = kRows;
          args.forward.latent = latent;
          args.forward.epsilon = ones.data();
          args.forward.posterior_params = x.data();
          args.forward.z = z.data();
          args.forward.kl = kl.data();
          args.d_z = ones.data();
          args.d_posterior_params = gradient.data();
          const auto stream = Stream::current(device).handle();
          device.backend().posterior(args.forward, stream);
          device.backend().posterior_backward(args, stream);
          const std::string what = fmt::format("{}, latent {}, {}", device.text(), latent, extreme);
          const double single = static_cast<float>(std::exp(log_variance ? extreme / 2 : extreme));
          const Doubles samples = z.to_doubles(), slopes = gradient.to_doubles();
          for (std::size_t i = 0; i < size; ++i)
            EXPECT_TRUE(single > 0 ? samples[i] > 1e38 : samples[i] == 0.5) << what << ": " << samples[i];
          for (std::size_t i = 0; i < 2 * size; ++i) {
            if (params[i] == 0.5)
              EXPECT_EQ(slopes[i], 1) << what;
            else
              EXPECT_TRUE(single > 0 ? slopes[i] > 1e38 : slopes[i] == 0) << what << ": " << slopes[i];
          }
        }
}

TEST(UnrolledDevice, SlopesOfGammaFunctionsBelowZero) {
  for (const Device device : devices()) {
    const Variable x{place({-0.5, -3.5, -100, -1e-30}, {4}, device), true};
    sum(lgamma(x)).backward();
    for (const double slope : x.grad().to_doubles()) EXPECT_TRUE(std::isnan(slope)) << slope;
    x.zero_grad();
    sum(digamma(x)).backward();
    for (const double slope : x.grad().to_doubles()) EXPECT_TRUE(std::isnan(slope)) << slope;
  }
}

}  // namespace
}  // namespace gpuvae
