// Tests ownership: copies of a variable share its values, models can be moved, and options hold no
// parameters.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "gpuvae/train.h"
#include "tests/error_message.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::byte_images;
using test::message_of;
using test::small_model;

using ParameterValues = std::vector<std::vector<float>>;

ParameterValues values_of(const std::vector<Parameter>& parameters) {
  ParameterValues all;
  for (const Parameter& p : parameters) all.push_back(p.variable.value().to_vector());
  return all;
}

TEST(OwnershipOnDevice, AnOptimiserMovesTheValuesOfAllCopiesToItsStorage) {
  const Device device = Device::best();
  const Variable weight(Tensor::full({2, 3}, 5, DType::f32, device), true), copy = weight;
  const Tensor before = weight.value();
  const Parameter parameter{"w", weight, false};
  SGD sgd({&parameter, 1}, {.learning_rate = 0.5});
  EXPECT_TRUE(weight.value().shares_storage_with(sgd.values()));
  EXPECT_TRUE(copy.value().shares_storage_with(sgd.values()));
  sum(2 * copy).backward();
  sgd.step();
  EXPECT_EQ(weight.value().to_vector(), std::vector<float>(6, 4));
  EXPECT_EQ(copy.value().to_vector(), std::vector<float>(6, 4));
  EXPECT_EQ(weight.grad().to_vector(), std::vector<float>(6, 2));
  EXPECT_EQ(before.to_vector(), std::vector<float>(6, 5));  // a tensor taken earlier does not change
}

TEST(OwnershipOnDevice, ValuesOutliveTheirOptimiser) {
  const Device device = Device::best();
  const Variable weight(Tensor::full({3}, 5, DType::f32, device), true);
  const Parameter parameter{"w", weight, false};
  for (int i = 0; i < 2; ++i) {
    SGD sgd({&parameter, 1}, {.learning_rate = 1});
    sgd.zero_grad();
    sum(weight).backward();
    sgd.step();
  }
  EXPECT_EQ(weight.value().to_vector(), std::vector<float>(3, 3));
}

TEST(Ownership, AnUndefinedParameterIsAnError) {
  const Parameter parameter{"w", Variable(), false};
  EXPECT_EQ(message_of([&] {
              SGD({&parameter, 1});
            }),
            "[optimizer] expected w to be an f32 leaf that requires gradients, got an undefined tensor");
  EXPECT_THROW(Variable(Tensor(), true), Error);
}

TEST(OwnershipOnDevice, CopiesOfLayersShareTheirParameters) {
  const Device device = Device::best();
  std::optional<Linear> layer(Linear("l", 3, 2, Activation::identity, {}, device));
  const Linear copy = *layer;
  std::vector<Parameter> parameters;
  layer->collect(parameters);
  SGD sgd(parameters, {.learning_rate = 1});
  const Variable x = Tensor::full({1, 3}, 1, DType::f32, device);
  const std::vector<float> before = copy.weight.value().to_vector();
  sum((*layer)(x)).backward();
  layer.reset();
  sgd.step();
  std::vector<float> expected;
  for (const float w : before) expected.push_back(w - 1);
  EXPECT_EQ(copy.weight.value().to_vector(), expected);
  EXPECT_EQ(parameters[0].variable.value().to_vector(), expected);
}

// The model moves after its optimiser was created, and again after its trainer was created.
TEST(TrainerOwnership, AModelMayMoveBeforeAndAfterItsTrainerIsCreated) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    for (const auto& prior : {standard_normal_prior(), vamp_prior(2)}) {
      VaeOptions options = small_model();
      options.prior = prior;
      const auto train = [&](bool moves) {
        std::optional<Vae> first(std::in_place, options, device), second, third;
        Optimizer optimizer(first->parameters(), {});
        if (moves) {
          second.emplace(std::move(*first));
          first.reset();
        }
        Trainer trainer(moves ? *second : *first, optimizer, byte_images(20, device), byte_images(20, device),
                        {.batch_size = 5});
        if (moves) {
          third.emplace(std::move(*second));
          second.reset();
        }
        const EpochResult result = trainer.run_epoch();
        return std::pair(values_of((moves ? *third : *first).parameters()), result.validation.loss);
      };
      EXPECT_EQ(train(true), train(false)) << prior->name();
    }
  }
}

TEST(Ownership, ACopyOfAModelSharesItsParameters) {
  const Vae model(small_model(), Device::cpu());
  const Vae copy = model;
  Adam adam(copy.parameters(), {.learning_rate = 0.1});
  const ParameterValues before = values_of(model.parameters());
  sum(square(copy.encode(Tensor::full({2, 16}, 0.5)))).backward();
  adam.step();
  EXPECT_NE(values_of(model.parameters())[0], before[0]);
  EXPECT_EQ(values_of(model.parameters()), values_of(copy.parameters()));
}

// ---- distributions with parameters ----

// A posterior with a learned standard deviation. Vae refuses two mistakes: with `shared`, clone() returns
// null, and with `kept`, initialize() does not create a new parameter.
enum class Mistake { none, shared, kept };
template <Mistake mistake>
class LearnedSpread final : public Posterior {
 public:
  std::string name() const override { return "learned spread"; }
  std::shared_ptr<Posterior> clone() const override {
    if (mistake == Mistake::shared) return nullptr;
    return std::make_shared<LearnedSpread>(*this);
  }
  void initialize(const ModelContext& context) override {
    if (mistake == Mistake::none)
      log_stddev_ = Variable(Tensor::zeros({1, context.latent}, DType::f32, context.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    if (log_stddev_) into.push_back({"posterior.log_stddev", log_stddev_, true});
  }
  int params_per_dimension() const override { return 1; }
  Variable mean(const Variable& posterior_params) const override { return posterior_params; }
  Variable rsample(const Variable& posterior_params, const Draw& draw) const override {
    const Tensor epsilon =
        random_normal(posterior_params.shape(), draw.noise, 0, 1, DType::f32, posterior_params.device());
    return posterior_params + Variable(epsilon) * exp(log_stddev_);
  }
  Variable log_density(const Variable& posterior_params, const Variable& z) const override {
    const Variable u = (z - posterior_params) * exp(-log_stddev_);
    return sum(-0.5 * square(u) - log_stddev_ - 0.5 * std::log(2 * M_PI), Axis::columns);
  }

 private:
  Variable log_stddev_ = mistake == Mistake::none ? Variable() : Variable(Tensor::zeros({1, 2}), true);
};

TEST(TrainerOwnership, ModelsCreatedFromTheSameOptionsShareNoPosteriorParameters) {
  VaeOptions options = small_model();
  options.posterior = std::make_shared<LearnedSpread<Mistake::none>>();
  const Vae first(options, Device::cpu()), second(options, Device::cpu()),
      third(first.options(), Device::cpu());
  EXPECT_EQ(first.parameters().back().name, "posterior.log_stddev");
  EXPECT_EQ(first.parameters().size(), 9u);
  Optimizer a(first.parameters(), {}), b(second.parameters(), {}), c(third.parameters(), {});
  const ParameterValues before = values_of(second.parameters());
  EXPECT_EQ(values_of(first.parameters()), before);
  Trainer(first, a, byte_images(20, Device::cpu()), {}, {.batch_size = 5}).run_epoch();
  EXPECT_NE(values_of(first.parameters()).back(), before.back());
  EXPECT_EQ(values_of(second.parameters()), before);
  EXPECT_EQ(values_of(third.parameters()), before);
  std::vector<Parameter> described;
  options.posterior->collect(described);
  EXPECT_TRUE(described.empty());  // the distribution in the options still has no parameters
}

TEST(Ownership, SharedParametersOfDistributionsAreRefused) {
  VaeOptions options = small_model();
  options.posterior = std::make_shared<LearnedSpread<Mistake::shared>>();
  EXPECT_EQ(message_of([&] { Vae(options, Device::cpu()); }),
            "[vae] expected learned spread, which has parameters, to override clone()");
  options.posterior = std::make_shared<LearnedSpread<Mistake::kept>>();
  EXPECT_EQ(message_of([&] { Vae(options, Device::cpu()); }),
            "[vae] expected initialize() of learned spread to create a new posterior.log_stddev, got the one "
            "that the options hold");
}

}  // namespace
}  // namespace gpuvae
