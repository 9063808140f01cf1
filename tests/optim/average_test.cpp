// Tests the moving average of the weights against the values of its formulas, on every device.
#include "gpuvae/average.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;

struct FormValues {
  AverageForm form;
  double decay;
  std::vector<double> expected;
};

// The averages of the weights 1, 2, 4, 3.
const FormValues kForms[] = {{AverageForm::zero, 0.9, {0.1, 0.29, 0.661, 0.8949}},
                             {AverageForm::debiased, 0.9, {1, 1.5263157895, 2.4391143911, 2.6022099448}},
                             {AverageForm::first, 0.9, {1, 1.1, 1.39, 1.551}},
                             {AverageForm::warmup, 0.999, {1, 1.8181818182, 3.4545454545, 3.1398601399}}};
constexpr double kWeights[] = {1, 2, 4, 3};

TEST(OptimizerAverage, FormsHaveTheirValuesInF64) {
  for (const FormValues& f : kForms) {
    const Tensor average = Tensor::zeros({5}, DType::f64);
    for (std::uint64_t t = 0; t < 4; ++t) {
      const Tensor weights = Tensor::full({5}, kWeights[t], DType::f64);
      kernels::AverageArgs args{.dtype = DType::f64, .form = f.form, .size = 5, .decay = f.decay};
      args.clock.step = t;
      args.parameters = weights.data();
      args.average = average.data();
      Device::cpu().backend().average(args, nullptr);
      for (const double a : average.to_doubles()) EXPECT_NEAR(a, f.expected[t], 1e-10) << name(f.form) << t;
    }
  }
}

// 20,003 elements, so that a thread of a GPU processes several and the last ones are not a multiple of four.
TEST(OptimizerAverageDevice, FusedUnfusedAndFormulaAgree) {
  constexpr std::int64_t kSize = 20'003;
  for (const Device device : test::devices())
    for (const FormValues& f : kForms) {
      const Variable x(Tensor::full({kSize}, 0, DType::f32, device), true);
      const Parameter parameters[] = {{"x", x, false}};
      Adam optimizer(parameters);
      const AverageOptions options{f.decay, f.form};
      WeightAverage average(optimizer, options);
      const Tensor unfused = Tensor::zeros(optimizer.values().shape(), DType::f32, device);
      for (std::uint64_t t = 0; t < 4; ++t) {
        optimizer.values().fill(kWeights[t]);
        average.update({.step = t});
        unfused::average(options, t, optimizer.values(), unfused);
        const std::vector<float> fused = average.values().to_vector(), reference = unfused.to_vector();
        for (std::size_t i = 0; i < fused.size(); ++i) {
          ASSERT_TRUE(std::fabs(fused[i] - f.expected[t]) <= 1e-5 * std::fabs(f.expected[t])) << name(f.form);
          ASSERT_TRUE(std::fabs(fused[i] - reference[i]) <= 1e-6 * std::fabs(f.expected[t])) << name(f.form);
        }
      }
    }
}

TEST(OptimizerAverageDevice, ALeftOutUpdateChangesNothing) {
  for (const Device device : test::devices()) {
    const Variable x(Tensor::full({37}, 2, DType::f32, device), true);
    const Parameter parameters[] = {{"x", x, false}};
    Adam optimizer(parameters);
    WeightAverage average(optimizer, {.decay = 0.5});
    optimizer.values().fill(8);
    const Tensor bad = Tensor::full({1}, std::numeric_limits<double>::quiet_NaN(), DType::f32, device);
    average.update({.step = 3}, bad);
    EXPECT_EQ(average.values().slice(0, 37).to_vector(), std::vector<float>(37, 2));
    average.update({.step = 3}, Tensor::full({1}, 1, DType::f32, device));
    // min(0.5, 4 / 13) of the average is kept.
    for (const float a : average.values().slice(0, 37).to_vector())
      EXPECT_NEAR(a, 2 * 4.0 / 13 + 8 * 9.0 / 13, 1e-5);
  }
}

TEST(OptimizerAverage, RefusesOtherSettings) {
  const Variable x(Tensor::zeros({3}), true);
  const Parameter parameters[] = {{"x", x, false}};
  const Adam optimizer(parameters);
  EXPECT_EQ(error_of([&] { WeightAverage(optimizer, {.decay = 1}); }),
            "[average] expected a decay in [0, 1), got 1");
  EXPECT_EQ(error_of([&] { WeightAverage(optimizer, {.decay = NAN}); }),
            "[average] expected a decay in [0, 1), got nan");
  EXPECT_NE(error_of([&] {
              WeightAverage(optimizer, {0.9, static_cast<AverageForm>(7)});
            }).find("below 4"),
            std::string::npos);
  EXPECT_THROW(unfused::average({.decay = 0.9}, 0, Tensor::zeros({3}), Tensor::zeros({4})), Error);
}

}  // namespace
}  // namespace gpuvae
