// Tests Optimizer::step_if_finite, which updates nothing if a gradient or a loss is not finite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gpuvae/optim.h"
#include "tests/special_values.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::kInfinity;
using test::kNan;

struct Guarded {
  Guarded(Device device, const OptimizerOptions& options)
      : weight(Tensor::from(std::vector<float>{0.5f, -1.25f, 2.0f}, {3}, device), true),
        parameter{"w", weight, false},
        optimizer({&parameter, 1}, options) {}
  void set_gradient(const std::vector<float>& gradient) {
    optimizer.zero_grad();
    sum(weight * Variable(Tensor::from(gradient, {3}, weight.device()))).backward();
  }
  // Makes a guarded update, and returns whether it was made.
  bool step(const std::vector<float>& gradient, float loss1 = 1, float loss2 = 2) {
    set_gradient(gradient);
    const Device device = weight.device();
    const Tensor losses[] = {Tensor::from(std::vector<float>{loss1}, {1}, device),
                             Tensor::from(std::vector<float>{loss2}, {1}, device)};
    optimizer.step_if_finite({.step = updates}, {}, losses);
    const bool made = !std::isnan(optimizer.gradient_scale().item());
    updates += made;
    return made;
  }
  std::vector<float> state() const {
    std::vector<float> all = weight.value().to_vector();
    for (const Tensor& t : {optimizer.state1(), optimizer.state2()})
      if (t)
        for (const float v : t.to_vector()) all.push_back(v);
    return all;
  }
  Variable weight;
  Parameter parameter;
  Optimizer optimizer;
  std::uint64_t updates = 0;
};

class UpdateKinds : public testing::TestWithParam<int> {};

TEST_P(UpdateKinds, ChangeNothingIfAGradientOrALossIsNotFinite) {
  const OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind(GetParam()));
  for (const Device device : {Device::cpu(), Device::best()}) {
    Guarded run(device, o), plain(device, o);
    const std::vector<float> good{0.1f, -2, 0.03f};
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(run.step(good));
      plain.set_gradient(good);
      plain.optimizer.step();
      EXPECT_EQ(run.state(), plain.state()) << "a guard must not change the bits of an update";
      const std::vector<float> before = run.state();
      EXPECT_FALSE(run.step({0.1f, kNan, 0.03f}));
      EXPECT_FALSE(run.step({0.1f, kInfinity, 0.03f}));
      EXPECT_FALSE(run.step({-kInfinity, kInfinity, 0.03f}));
      EXPECT_FALSE(run.step(good, kNan));
      EXPECT_FALSE(run.step(good, 1, kInfinity));
      EXPECT_FALSE(run.step(good, kInfinity, -kInfinity));
      EXPECT_FALSE(run.step({0.1f, 3e19f, 0.03f})) << "the square is infinite";
      EXPECT_EQ(run.state(), before);
    }
    EXPECT_TRUE(run.step({0.1f, 1.8e19f, 0.03f}));
    EXPECT_TRUE(run.optimizer.is_finite());
  }
}
INSTANTIATE_TEST_SUITE_P(GuardedUpdate, UpdateKinds, testing::Range(0, 6),
                         [](const auto& i) { return std::string(name(OptimizerKind(i.param))); });

// Clipping makes a huge gradient usable, but not an infinite one.
TEST(GuardedUpdateOnDevice, ClipsBeforeItDecides) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    Guarded run(device, SGDOptions{.learning_rate = 1, .clip_norm = 0.5});
    EXPECT_TRUE(run.step({0, 3e25f, 4e25f}));
    EXPECT_NEAR(run.weight.value().to_vector()[1], -1.25 - 0.3, 1e-6);
    EXPECT_NEAR(run.weight.value().to_vector()[2], 2 - 0.4, 1e-6);
    EXPECT_FALSE(run.step({0, kInfinity, 1}));
    EXPECT_FALSE(run.step({0, kNan, 1}));
    EXPECT_NEAR(run.weight.value().to_vector()[2], 2 - 0.4, 1e-6);
  }
}

TEST(GuardedUpdateOnDevice, FindsNonFiniteWeightsAndStates) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    Guarded run(device, AdamOptions{});
    EXPECT_TRUE(run.optimizer.is_finite());
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      for (const Tensor& t : {run.weight.value(), run.optimizer.state1(), run.optimizer.state2()}) {
        const Tensor good = t.clone();
        t.slice(1, 1).fill(bad);
        EXPECT_FALSE(run.optimizer.is_finite());
        t.copy_from(good);
        EXPECT_TRUE(run.optimizer.is_finite());
      }
    }
  }
}

TEST(GuardedUpdateOnDevice, RefusesOtherLosses) {
  Guarded run(Device::cpu(), AdamOptions{});
  const Tensor two = Tensor::zeros({2}), one = Tensor::zeros({1});
  const Tensor wrong[] = {two}, many[] = {one, one, one};
  EXPECT_EQ(test::error_of([&] { run.optimizer.step_if_finite({}, {}, wrong); }),
            "[optimizer] expected a loss of one f32 element on cpu, got f32[2] on cpu");
  EXPECT_EQ(test::error_of([&] { run.optimizer.step_if_finite({}, {}, many); }),
            "[optimizer] expected at most 2 losses, got 3");
}

}  // namespace
}  // namespace gpuvae
