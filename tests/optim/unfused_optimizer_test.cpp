// Compares the unfused implementation of the optimisers with the fused update.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/ops.h"
#include "gpuvae/optim.h"

namespace gpuvae {
namespace {

class ComposedKinds : public testing::TestWithParam<int> {};

// Runs three updates of 1,000 weights and 37 biases, with decay and clipping. The unfused implementation
// updates separate tensors.
TEST_P(ComposedKinds, MatchTheFusedUpdate) {
  constexpr std::int64_t kWeights = 1000, kBiases = 37;
  for (const Device device : {Device::cpu(), Device::best()})
    for (const double l2 : {0.0, 0.03})
      for (const double clip : {0.0, 0.5}) {
        OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind(GetParam()));
        o.learning_rate = 0.02;
        o.l2 = l2;
        o.clip_norm = clip;
        if (o.kind == OptimizerKind::sgd) o.beta1 = 0.9;
        const Noise noise{.seed = 4, .purpose = RandomPurpose::test};
        const auto random = [&](std::int64_t n, std::uint64_t seed) {
          Noise its = noise;
          its.seed = seed;
          return random_normal({n}, its, 0, 0.5, DType::f32, device);
        };
        Variable weight(random(kWeights, 1), true), bias(random(kBiases, 2), true);
        const Tensor p_w = weight.value().clone(), p_b = bias.value().clone();
        const std::int64_t n = kWeights + kBiases;
        const Tensor p = Tensor::empty({n}, DType::f32, device), s2 = Tensor::zeros({n}, DType::f32, device);
        p.slice(0, kWeights).copy_from(p_w), p.slice(kWeights, kBiases).copy_from(p_b);
        const Tensor s1 = Tensor::full({n}, o.kind == OptimizerKind::rmsprop_tf1 ? 1 : 0, DType::f32, device);
        // Only Adam keeps two states.
        const bool adam = o.kind == OptimizerKind::adam || o.kind == OptimizerKind::adamw;

        const Parameter parameters[] = {{"w", weight, false}, {"b", bias, true}};
        Optimizer fused(parameters, o);
        for (std::uint64_t step = 0; step < 3; ++step) {
          const Tensor g = random(n, 10 + step);
          fused.zero_grad();
          add(sum(multiply(weight, g.slice(0, kWeights))), sum(multiply(bias, g.slice(kWeights, kBiases))))
              .backward();
          fused.step();
          unfused::optimizer_step(o, step, kWeights, p, g, s1, adam ? s2 : Tensor());
        }
        const std::vector<double> w = weight.value().to_doubles(), b = bias.value().to_doubles();
        const std::vector<double> unfused = p.to_doubles();
        for (std::int64_t i = 0; i < n; ++i) {
          const double got = unfused[static_cast<std::size_t>(i)];
          const double expected =
              i < kWeights ? w[static_cast<std::size_t>(i)] : b[static_cast<std::size_t>(i - kWeights)];
          ASSERT_TRUE(std::fabs(got - expected) <= 3e-6 * std::fabs(expected) + 3e-6)
              << "element " << i << ": " << got << ", expected " << expected << " with l2 " << l2 << ", clip "
              << clip;
        }
      }
}
INSTANTIATE_TEST_SUITE_P(Optimizer, ComposedKinds, testing::Range(0, 6),
                         [](const auto& i) { return std::string(name(OptimizerKind(i.param))); });

TEST(ComposedOptimizer, RejectsTensorsOfDifferentSizes) {
  const Tensor p = Tensor::zeros({4}), g = Tensor::zeros({3});
  EXPECT_THROW(unfused::optimizer_step({}, 0, 4, p, g, p.clone(), p.clone()), Error);
  EXPECT_THROW(unfused::optimizer_step({}, 0, 5, p, p.clone(), p.clone(), p.clone()), Error);
  EXPECT_THROW(unfused::optimizer_step({}, 0, 4, p, p.clone(), p.clone(), Tensor()), Error);
}

// Without momentum, p - learning_rate * g needs no state, and the state keeps its values.
TEST(UnfusedOptimizer, SgdWithoutMomentumLeavesItsState) {
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::sgd);
  o.learning_rate = 0.25;
  o.beta1 = 0;
  const Tensor p = Tensor::full({5}, 1), g = Tensor::full({5}, -2), state = Tensor::full({5}, 7);
  unfused::optimizer_step(o, 3, 0, p, g, state, {});
  EXPECT_EQ(p.to_doubles(), std::vector<double>(5, 1.5));
  EXPECT_EQ(state.to_doubles(), std::vector<double>(5, 7));
}

}  // namespace
}  // namespace gpuvae
