// Tests random numbers from cuRAND: the argument checks of the emulated library, the backend's use of cuRAND,
// and initial weights.
#include <cuda_runtime_api.h>
#include <curand.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "device/test_support.h"
#include "gpuvae/error.h"
#include "gpuvae/graph.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "kernels/cuda/runtime/dynamic_library.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::message_of;

// Returns the Kolmogorov-Smirnov statistic: the largest distance between the sample's empirical distribution
// function and `cdf`, times the square root of the sample size. A sample from `cdf` exceeds 1.95 with
// probability 0.001.
double kolmogorov_smirnov(std::vector<float> sample, const std::function<double(double)>& cdf) {
  std::sort(sample.begin(), sample.end());
  const auto n = static_cast<double>(sample.size());
  double largest = 0;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const double p = cdf(sample[i]), below = static_cast<double>(i) / n;
    largest = std::max({largest, std::abs(p - below), std::abs(p - below - 1 / n)});
  }
  return largest * std::sqrt(n);
}
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

struct Moments {
  double mean = 0, variance = 0;
  explicit Moments(const std::vector<float>& x) {
    for (const float v : x) mean += v / static_cast<double>(x.size());
    for (const float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  }
};

class Generator {
 public:
  Generator() {
    EXPECT_EQ(curandCreateGenerator(&handle, CURAND_RNG_PSEUDO_PHILOX4_32_10), CURAND_STATUS_SUCCESS);
  }
  ~Generator() { EXPECT_EQ(curandDestroyGenerator(handle), CURAND_STATUS_SUCCESS); }
  curandGenerator_t handle = nullptr;
};

TEST(EmulatedCurand, RefusesTheSameCallsAsCurand) {
  const Generator generator;
  const DeviceArray<float> out(64);
  EXPECT_EQ(curandGenerateNormal(generator.handle, out.get(), 63, 0, 1), CURAND_STATUS_LENGTH_NOT_MULTIPLE);
  EXPECT_EQ(curandGenerateUniform(generator.handle, out.get(), 63), CURAND_STATUS_SUCCESS);
  EXPECT_EQ(curandGenerateUniform(nullptr, out.get(), 4), CURAND_STATUS_NOT_INITIALIZED);
  curandGenerator_t other = nullptr;
  EXPECT_EQ(curandCreateGenerator(&other, CURAND_RNG_PSEUDO_XORWOW), CURAND_STATUS_TYPE_ERROR);
}

TEST(EmulatedCurand, FindsBadPointersAndGenerators) {
  const Generator generator;
  const DeviceArray<float> out(64);
  float host[8] = {};
  const auto draw = [&](float* to, std::size_t n) {
    return message_of([&] { curandGenerateUniform(generator.handle, to, n); });
  };
  EXPECT_MENTIONS(draw(host, 8), "device memory");
  EXPECT_MENTIONS(draw(out.get(), 65), "needs 260 bytes");
  EXPECT_MENTIONS(draw(out.get() + 1, 8), "aligned");
  curandGenerator_t gone = nullptr;
  ASSERT_EQ(curandCreateGenerator(&gone, CURAND_RNG_PSEUDO_PHILOX4_32_10), CURAND_STATUS_SUCCESS);
  ASSERT_EQ(curandDestroyGenerator(gone), CURAND_STATUS_SUCCESS);
  EXPECT_MENTIONS(message_of([&] { curandGenerateUniform(gone, out.get(), 4); }), "destroyed");
}

TEST(EmulatedCurand, ContinuesItsSequence) {
  const Generator generator;
  const DeviceArray<float> first(8), second(8), both(16);
  ASSERT_EQ(curandGenerateUniform(generator.handle, first.get(), 8), CURAND_STATUS_SUCCESS);
  ASSERT_EQ(curandGenerateUniform(generator.handle, second.get(), 8), CURAND_STATUS_SUCCESS);
  ASSERT_EQ(curandSetGeneratorOffset(generator.handle, 0), CURAND_STATUS_SUCCESS);
  ASSERT_EQ(curandGenerateUniform(generator.handle, both.get(), 16), CURAND_STATUS_SUCCESS);
  std::vector<float> joined = first.values();
  const std::vector<float> rest = second.values();
  joined.insert(joined.end(), rest.begin(), rest.end());
  EXPECT_EQ(joined, both.values());
}

TEST(CurandOnCuda, DrawsTheRequestedDistribution) {
  const Device cuda = Device::cuda();
  const std::vector<float> normal = curand_normal({200, 100}, 7, 3, 0.5, cuda).to_vector();
  EXPECT_LT(kolmogorov_smirnov(normal, [](double x) { return normal_cdf((x - 3) / 0.5); }), 1.95);
  const std::vector<float> uniform = curand_uniform({200, 100}, 7, -2, 1, cuda).to_vector();
  EXPECT_LT(kolmogorov_smirnov(uniform, [](double x) { return std::clamp((x + 2) / 3, 0.0, 1.0); }), 1.95);
}

TEST(CurandOnCuda, FillsExactlyTheRequestedElements) {
  const Device cuda = Device::cuda();
  for (const std::int64_t size : {0, 1, 2, 3, 31, 33, 1001}) {
    const Tensor all = Tensor::full({size + 5}, 99, DType::f32, cuda);
    kernels::CurandArgs args{
        .count = size, .seed = 5, .out = all.data_as<float>() + 1};  // aligned to 4 bytes
    cuda.backend().curand(args, nullptr);
    const std::vector<float> got = all.to_vector();
    const std::vector<float> aligned = curand_normal({size}, 5, 0, 1, cuda).to_vector();
    EXPECT_TRUE(std::equal(aligned.begin(), aligned.end(), got.begin() + 1)) << size;
    EXPECT_EQ(got[0], 99);
    for (std::size_t i = static_cast<std::size_t>(size) + 1; i < got.size(); ++i) EXPECT_EQ(got[i], 99) << i;
  }
}

TEST(CurandOnCuda, DependsOnlyOnTheSeed) {
  const Device cuda = Device::cuda();
  const auto draw = [&](std::uint64_t seed) { return curand_normal({30, 7}, seed, 0, 1, cuda).to_vector(); };
  const std::vector<float> first = draw(1);
  EXPECT_NE(first, draw(2));
  EXPECT_EQ(first, draw(1));
  const Stream stream(cuda);
  const StreamGuard guard(stream);
  EXPECT_EQ(first, draw(1));
}

TEST(CurandOnCuda, IsRefusedInsideAGraphAndOnTheCpu) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard guard(stream);
  EXPECT_MENTIONS(message_of([&] {
                    const auto draw = [&] { static_cast<void>(curand_normal({4}, 1, 0, 1, cuda)); };
                    static_cast<void>(CudaGraph::capture(stream, draw, 1));
                  }),
                  "[curand] expected a stream that is not being captured, got one that is");
  EXPECT_EQ(message_of([] { static_cast<void>(curand_normal({4}, 1, 0, 1, Device::cpu())); }),
            "[curand] expected a CUDA device, got cpu");
}

TEST(CurandOnCuda, ReportsAMissingLibraryInOneLine) {
  const kernels::ToolkitLibrary library = {
      "curand", "cuRAND", "random numbers by cuRAND need", "libcurand_missing.so", 10, "no_such_function"};
  const std::string said = message_of([&] { kernels::open_library(library); });
  EXPECT_EQ(
      said.find("[curand] random numbers by cuRAND need cuRAND, which comes with the CUDA Toolkit, but it "
                "cannot be loaded; libcurand_missing.so.10: "),
      0u)
      << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

// ---- initial weights ----

std::vector<float> weights(WeightInit init, std::uint64_t seed, const std::string& name = "layer") {
  Initializer how;
  how.weight = init;
  how.seed = seed;
  how.bias_std = 0.3;
  how.generator = InitGenerator::curand;
  return Linear(name, 151, 101, Activation::relu, how, Device::cuda()).weight.value().to_vector();
}

TEST(InitialWeightsByCurand, HaveTheDistributionOfTheInitializer) {
  const double fan_in = 151, limit = std::sqrt(6.0 / (151 + 101));
  const auto expect = [](const std::vector<float>& w, double variance,
                         const std::function<double(double)>& cdf) {
    const Moments m(w);
    EXPECT_NEAR(m.mean, 0, 4 * std::sqrt(variance / static_cast<double>(w.size())));
    EXPECT_NEAR(m.variance, variance, 0.05 * variance);
    EXPECT_LT(kolmogorov_smirnov(w, cdf), 1.95);
  };
  const auto normal = [](double s) { return [=](double x) { return normal_cdf(x / s); }; };
  expect(weights(WeightInit::glorot_uniform, 3), limit * limit / 3,
         [=](double x) { return std::clamp((x + limit) / (2 * limit), 0.0, 1.0); });
  expect(weights(WeightInit::he_normal, 3), 2 / fan_in, normal(std::sqrt(2 / fan_in)));
  expect(weights(WeightInit::two_over_root_fan_in, 3), 4 / fan_in, normal(2 / std::sqrt(fan_in)));
}

TEST(InitialWeightsByCurand, DifferBySeedAndByName) {
  const std::vector<float> first = weights(WeightInit::he_normal, 1);
  EXPECT_EQ(first, weights(WeightInit::he_normal, 1));
  EXPECT_NE(first, weights(WeightInit::he_normal, 2));
  EXPECT_NE(first, weights(WeightInit::he_normal, 1, "other"));
}

TEST(InitialWeightsByCurand, ReachEveryLayerOfAModel) {
  VaeOptions options;
  options.features = 33;
  options.encoder_widths = {7};
  options.initializer.bias_std = 0.1;
  Vae ours(options, Device::cuda());
  options.initializer.generator = InitGenerator::curand;
  Vae by_curand(options, Device::cuda());
  const std::vector<Parameter> a = ours.parameters(), b = by_curand.parameters();
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_NE(a[i].variable.value().to_vector(), b[i].variable.value().to_vector()) << a[i].name;
  EXPECT_EQ(message_of([&] { Vae(options, Device::cpu()); }),
            "[init] expected a CUDA device for initial weights by cuRAND, got cpu");
}

}  // namespace
}  // namespace gpuvae
