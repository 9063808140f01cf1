// Conditional models p(x | y): examples [x, y], their parts, training and evaluation.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/evaluate.h"

namespace gpuvae {
namespace {

constexpr int kClasses = 3;

// Images of 4 x 4 pixels. The class decides the brightness, and the example the direction of a ramp.
Dataset labelled_ramps(std::int64_t count, Device device) {
  Dataset set{4, 4, {}, {}};
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint8_t>(i % kClasses);
    set.labels.push_back(label);
    for (int p = 0; p < 16; ++p)
      bytes.push_back(static_cast<std::uint8_t>(20 + 70 * label + (i / kClasses % 2 ? p % 4 : p / 4) * 20));
  }
  set.examples = Tensor::from(bytes, {count, 16}, device);
  return set;
}

VaeOptions conditional_options() {
  VaeOptions o;
  o.features = 16;
  o.conditions = kClasses;
  o.encoder_widths = {12};
  o.latent = 2;
  o.initializer.bias_std = 0.1;
  return o;
}

TEST(Conditional, ClassCodesFollowTheFeatures) {
  const Dataset set = with_class_codes(labelled_ramps(7, Device::cpu()), kClasses);
  EXPECT_EQ(set.examples.shape(), Shape({7, 19}));
  EXPECT_EQ(set.height * set.width, 16);
  const Batch batch = gather_batch(set, 7, {.step = 0, .steps_per_epoch = 1},
                                   {.shuffle = false, .binarize = Binarize::dynamic});
  const std::vector<float> x = batch.x.to_vector();
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(x[i * 19 + 16 + c], i % 3 == c ? 1 : 0);
  Dataset numbers{1, 2, Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2}), {1, 0}};
  EXPECT_EQ(with_class_codes(numbers, 2).examples.to_vector(), (std::vector<float>{1, 2, 0, 1, 3, 4, 1, 0}));
  EXPECT_THROW(static_cast<void>(with_class_codes(numbers, 1)), Error);
  EXPECT_THROW(static_cast<void>(with_class_codes(numbers, 0)), Error);
  numbers.labels.clear();
  EXPECT_THROW(static_cast<void>(with_class_codes(numbers, 2)), Error);
}

TEST(Conditional, NamedColumnsMoveBehindTheOthers) {
  Split split;
  split.train = {1, 3, Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}), {}};
  split.test = {1, 3, Tensor::from(std::vector<float>{7, 8, 9}, {1, 3}), {}};
  split.description.column_names = {"a", "b", "c"};
  split.description.standardization = {{10, 20, 30}, {1, 2, 3}};
  const std::string first[] = {"a"};
  move_columns_last(split, first);
  EXPECT_EQ(split.train.examples.to_vector(), (std::vector<float>{2, 3, 1, 5, 6, 4}));
  EXPECT_EQ(split.test.examples.to_vector(), (std::vector<float>{8, 9, 7}));
  EXPECT_EQ(split.description.column_names, (std::vector<std::string>{"b", "c", "a"}));
  EXPECT_EQ(split.description.standardization.mean, (std::vector<double>{20, 30, 10}));
  EXPECT_EQ(split.description.condition_columns, 1);
  const std::string unknown[] = {"d"}, twice[] = {"a", "a"}, all[] = {"a", "b", "c"};
  EXPECT_THROW(move_columns_last(split, unknown), Error);
  EXPECT_THROW(move_columns_last(split, twice), Error);
  EXPECT_THROW(move_columns_last(split, all), Error);
  split.description.column_names.clear();
  EXPECT_THROW(move_columns_last(split, first), Error);
}

// W [x, e_y] = W_x x + column y of the weight, in the encoder and in the decoder.
TEST(Conditional, AOneHotColumnIsABias) {
  const Vae model(conditional_options(), Device::cpu());
  const Tensor x = random_uniform({1, 16}, {.seed = 1}), z = random_normal({1, 2}, {.seed = 2});
  for (int y = 0; y < kClasses; ++y) {
    std::vector<float> code(kClasses, 0.0f);
    code[static_cast<std::size_t>(y)] = 1;
    const Tensor condition = Tensor::from(code, {1, kClasses});
    const auto expected = [&](const Linear& layer, const Tensor& input) {
      const std::int64_t in = input.shape()[1];
      const Variable bias = layer.bias + reshape(columns(layer.weight, in + y, 1), {layer.weight.shape()[0]});
      return linear(input, columns(layer.weight, 0, in), bias, Activation::relu).value().to_vector();
    };
    const auto expect_close = [](const std::vector<float>& got, const std::vector<float>& wanted) {
      ASSERT_EQ(got.size(), wanted.size());
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-6);
    };
    const Variable example = concat({Variable(x), Variable(condition)}, Axis::columns);
    expect_close(model.encoder()(example).value().to_vector(), expected(model.encoder().layers[0], x));
    const Variable hidden = Tensor::from(expected(model.decoder().layers[0], z), {1, 12});
    expect_close(model.decode(z, condition).value().to_vector(), model.output()(hidden).value().to_vector());
    EXPECT_EQ(model.condition_of(example).to_vector(), code);
    EXPECT_EQ(model.features_of(example).value().to_vector(), x.to_vector());
  }
}

TEST(Conditional, TheElboIsThatOfTheParts) {
  const Vae model(conditional_options(), Device::cpu());
  const Dataset set = with_class_codes(labelled_ramps(5, Device::cpu()), kClasses);
  const Tensor x = gather_batch(set, 5, {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  Draw draw;
  draw.epsilon = random_normal({5, 2}, {.seed = 3});
  const Elbo elbo = model.negative_elbo(x, draw, {.reconstruction = 0.5});
  const Variable z = model.encode_sample(x, draw);
  const Variable logits = model.decode(z, model.condition_of(x));
  EXPECT_EQ(elbo.reconstruction.value().item(),
            bce_with_logits(logits, model.features_of(x), 0.5).value().item());
  EXPECT_EQ(model.reconstruct(x).shape(), Shape({5, 16}));
  EXPECT_EQ(model.posterior_predictive(x, 1).shape(), Shape({5, 16}));
  const Tensor one = Tensor::from(std::vector<float>{0, 1, 0}, {1, 3});
  EXPECT_EQ(model.sample_prior(4, 7, one).mean.shape(), Shape({4, 16}));
}

// The dispersions of counts belong to the features only, without the columns of the condition.
TEST(Conditional, CountsHaveOneDispersionPerFeature) {
  const std::vector<float> examples = {3, 0, 1, 0, 0, 7, 2, 0, 1, 0, 0, 0, 0, 0, 1};
  for (const std::shared_ptr<Likelihood>& likelihood :
       {negative_binomial_likelihood(), zero_inflated_negative_binomial_likelihood(),
        product_likelihood({{negative_binomial_likelihood(), 1}, {poisson_likelihood(), 1}})}) {
    VaeOptions options;
    options.features = 2;
    options.conditions = kClasses;
    options.encoder_widths = {4};
    options.likelihood = likelihood;
    options.log1p_counts = true;
    const Vae model(options, Device::cpu());
    const Dataset set{1, 2, Tensor::from(examples, {3, 5}), {}};
    EXPECT_TRUE(std::isfinite(evaluate_elbo(model, set, {}).loss)) << likelihood->name();
    EXPECT_TRUE(std::isfinite(importance_weighted_nll(model, set, 3, {}).nll)) << likelihood->name();
    const Tensor one = Tensor::from(std::vector<float>{0, 1, 0}, {1, 3});
    EXPECT_EQ(model.sample_prior(4, 7, one).x.shape(), Shape({4, 2})) << likelihood->name();
  }
}

TEST(Conditional, WrongConditionsAreErrors) {
  const Vae model(conditional_options(), Device::cpu());
  VaeOptions plain = conditional_options();
  plain.conditions = 0;
  const Vae unconditional(plain, Device::cpu());
  const Tensor z = Tensor::zeros({4, 2}), y = Tensor::zeros({1, 3});
  EXPECT_THROW(static_cast<void>(model.decode(z)), Error);
  EXPECT_THROW(static_cast<void>(model.decode(z, Tensor::zeros({1, 2}))), Error);
  EXPECT_THROW(static_cast<void>(model.decode(z, Tensor::zeros({3, 3}))), Error);
  EXPECT_THROW(static_cast<void>(unconditional.decode(z, y)), Error);
  EXPECT_FALSE(unconditional.condition_of(Tensor::zeros({2, 16})));
  VaeOptions negative = plain;
  negative.conditions = -1;
  EXPECT_THROW(Vae(negative, Device::cpu()), Error);
  const Dataset without_codes = labelled_ramps(5, Device::cpu());
  EXPECT_THROW(static_cast<void>(evaluate_elbo(model, without_codes, {})), Error);
}

// The class explains the brightness, so that a conditional model needs a smaller KL divergence than a model
// without the condition for about the same reconstruction.
TEST(ConditionalDevice, TrainsAndEvaluates) {
  const Device device = Device::best();
  const Dataset plain_set = labelled_ramps(96, device), set = with_class_codes(plain_set, kClasses);
  VaeOptions options = conditional_options();
  options.likelihood = gaussian_likelihood();
  const auto train = [&](const VaeOptions& o, const Dataset& data) {
    const Vae model(o, device);
    Optimizer optimizer(model.parameters(), {.learning_rate = 2e-2});
    Trainer trainer(model, optimizer, data, data, {.batch_size = 32});
    for (int i = 0; i < 20; ++i) static_cast<void>(trainer.run_epoch());
    return model;
  };
  const Vae model = train(options, set);
  options.conditions = 0;
  const Vae plain = train(options, plain_set);
  const Losses losses = evaluate_elbo(model, set, {});
  EXPECT_LT(losses.loss, evaluate_elbo(plain, plain_set, {}).loss);
  EXPECT_LE(importance_weighted_nll(model, set, 30, {}).nll, losses.loss + 0.5);
  EXPECT_EQ(latent_statistics(model, set, {}).mean_variance.size(), 2u);
  EXPECT_EQ(encode_all(model, set, {}).shape(), Shape({96, 2}));
  // A draw of each class has the brightness of its class.
  double before = 0;
  for (int y = 0; y < kClasses; ++y) {
    std::vector<float> code(kClasses, 0.0f);
    code[static_cast<std::size_t>(y)] = 1;
    const auto drawn = model.sample_prior(20, 3, Tensor::from(code, {1, kClasses}, device));
    const double brightness = mean(Variable(drawn.mean)).value().item();
    EXPECT_GT(brightness, before + 0.1) << y;
    before = brightness;
  }
}

}  // namespace
}  // namespace gpuvae
