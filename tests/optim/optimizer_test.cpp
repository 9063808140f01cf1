#include "gpuvae/optim.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpuvae {
namespace {

// A weight and a bias whose gradients the test sets with a linear loss.
struct Model {
  Variable weight{Tensor::from(std::vector<float>{0.5f, -1.25f, 2.0f}, {3, 1}), true};
  Variable bias{Tensor::from(std::vector<float>{0.75f}, {1}), true};
  std::vector<Parameter> parameters() { return {{"w", weight, false}, {"b", bias, true}}; }
};

const double kGradients[][4] = {{0.1, -2, 0.03, 1}, {0.2, 1.5, -0.01, -1}, {-0.4, 0.5, 0.02, 0.5}};

// Updates one parameter by each update rule in plain doubles, as the papers and frameworks describe it.
struct Reference {
  OptimizerOptions o;
  double p, m = 0, v = 0;
  void update(double g, int t, bool decayed) {
    const bool adam = o.kind == OptimizerKind::adam || o.kind == OptimizerKind::adamw;
    if (decayed && o.kind == OptimizerKind::adamw) p *= 1 - o.learning_rate * o.l2;
    if (decayed && o.kind != OptimizerKind::adamw) g += 2 * o.l2 * p;
    if (adam) {
      m = o.beta1 * m + (1 - o.beta1) * g;
      v = o.beta2 * v + (1 - o.beta2) * g * g;
      p -= o.learning_rate * (m / (1 - std::pow(o.beta1, t))) /
           (std::sqrt(v / (1 - std::pow(o.beta2, t))) + o.epsilon);
    } else if (o.kind == OptimizerKind::sgd) {
      m = o.beta1 * m + g;
      p -= o.learning_rate * m;
    } else if (o.kind == OptimizerKind::adagrad) {
      v += g * g;
      p -= o.learning_rate * g / (std::sqrt(v) + o.epsilon);
    } else {
      v = o.beta2 * v + (1 - o.beta2) * g * g;
      p -= o.learning_rate * g /
           (o.kind == OptimizerKind::rmsprop ? std::sqrt(v) + o.epsilon : std::sqrt(v + o.epsilon));
    }
  }
};

void train_quadratic(Model& model, Optimizer& optimizer, int steps) {
  for (int t = 0; t < steps; ++t) {
    const double* g = kGradients[t % 3];
    optimizer.zero_grad();
    const Tensor gw = Tensor::from(std::vector<float>{float(g[0]), float(g[1]), float(g[2])}, {3, 1});
    add(sum(multiply(model.weight, gw.to(model.weight.device()))), affine(sum(model.bias), g[3], 0))
        .backward();
    optimizer.step();
  }
}

class Kinds : public testing::TestWithParam<int> {};

TEST_P(Kinds, MatchTheirPublishedFormulas) {
  for (const double l2 : {0.0, 0.05})
    for (const bool biases : {false, true})
      for (const Device device : {Device::cpu(), Device::best()}) {
        Model model;
        OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind(GetParam()));
        o.learning_rate = 0.02;
        o.l2 = l2;
        o.l2_biases = biases;
        if (o.kind == OptimizerKind::sgd) o.beta1 = 0.9;
        model.weight = Variable(model.weight.value().to(device), true);
        model.bias = Variable(model.bias.value().to(device), true);
        std::vector<Reference> expected;
        for (float p : model.weight.value().to_vector()) expected.push_back({o, p});
        expected.push_back({o, model.bias.value().item()});
        if (o.kind == OptimizerKind::rmsprop_tf1)
          for (Reference& r : expected) r.v = 1;

        Optimizer optimizer(model.parameters(), o);
        train_quadratic(model, optimizer, 20);
        for (int t = 1; t <= 20; ++t)
          for (int i = 0; i < 4; ++i) expected[i].update(kGradients[(t - 1) % 3][i], t, i < 3 || biases);
        const auto weights = model.weight.value().to_doubles();
        for (int i = 0; i < 3; ++i)
          EXPECT_NEAR(weights[i], expected[i].p, 2e-6 * std::fabs(expected[i].p) + 2e-6);
        EXPECT_NEAR(model.bias.value().item(), expected[3].p, 2e-6 * std::fabs(expected[3].p) + 2e-6);
      }
}
INSTANTIATE_TEST_SUITE_P(Optimizer, Kinds, testing::Range(0, 6),
                         [](const auto& i) { return std::string(name(OptimizerKind(i.param))); });

TEST(Optimizer, ClipsByGlobalNorm) {
  Model model;
  OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::sgd);
  o.learning_rate = 1;
  o.clip_norm = 0.5;
  Optimizer optimizer(model.parameters(), o);
  const auto before = model.weight.value().to_doubles();
  train_quadratic(model, optimizer, 1);
  const double norm = std::sqrt(0.1 * 0.1 + 4 + 0.03 * 0.03 + 1);
  EXPECT_NEAR(optimizer.gradient_norm(), norm, 1e-6);
  EXPECT_NEAR(before[1] - model.weight.value().to_doubles()[1], -2 * 0.5 / norm, 1e-6);
}

// The squares of exploding gradients exceed the largest float.
TEST(Optimizer, ClipsHugeGradients) {
  const Variable w(Tensor::from(std::vector<float>{1, 1}, {2}), true);
  const Parameter p{"w", w};
  SGD optimizer({&p, 1}, {.learning_rate = 1, .clip_norm = 0.5});
  sum(w * Variable(Tensor::from(std::vector<float>{3e25f, 4e25f}, {2}))).backward();
  optimizer.step();
  EXPECT_NEAR(optimizer.gradient_norm() / 5e25, 1, 1e-6);
  EXPECT_NEAR(w.value().to_vector()[0], 1 - 0.3, 1e-6);
  EXPECT_NEAR(w.value().to_vector()[1], 1 - 0.4, 1e-6);
}

TEST(Optimizer, AMissingGradientCountsAsZero) {
  Model model;
  Optimizer optimizer(model.parameters(), OptimizerOptions::defaults(OptimizerKind::sgd));
  train_quadratic(model, optimizer, 1);
  const double bias = model.bias.value().item();
  optimizer.zero_grad();
  sum(model.weight).backward();
  optimizer.step();
  EXPECT_EQ(model.bias.value().item(), bias);
}

TEST(Optimizer, ResumesBitForBit) {
  const OptimizerOptions o = OptimizerOptions::defaults(OptimizerKind::adam);
  Model straight, first;
  Optimizer a(straight.parameters(), o), b(first.parameters(), o);
  train_quadratic(straight, a, 6);
  train_quadratic(first, b, 3);
  Model second;
  second.weight = Variable(first.weight.value().clone(), true);
  second.bias = Variable(first.bias.value().clone(), true);
  Optimizer c(second.parameters(), o);
  c.restore(b.steps(), b.state1().clone(), b.state2().clone());
  train_quadratic(second, c, 3);
  EXPECT_EQ(second.weight.value().to_vector(), straight.weight.value().to_vector());
}

TEST(Optimizer, RejectsInvalidSettings) {
  Model model;
  OptimizerOptions o;
  o.learning_rate = 0;
  EXPECT_THROW(Optimizer(model.parameters(), o), Error);
  o.learning_rate = 1;
  o.beta2 = 1;
  EXPECT_THROW(Optimizer(model.parameters(), o), Error);
  EXPECT_THROW(Optimizer({}, {}), Error);
}

}  // namespace
}  // namespace gpuvae
