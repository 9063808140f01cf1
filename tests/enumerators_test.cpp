// Tests numbers that are no enumerator of their enumeration, such as a binding for another language may pass.
#include <gtest/gtest.h>

#include <vector>

#include "gpuvae/data.h"
#include "gpuvae/log.h"
#include "gpuvae/train.h"
#include "gpuvae/types.h"
#include "tests/error_calls.h"

namespace gpuvae {
namespace {

using test::call;
using test::expect_errors;

// Returns a number that is no enumerator of E.
template <class E>
E invalid(int number = 99) {
  return static_cast<E>(number);
}

TEST(Enumerators, OtherNumbersAreErrors) {
  const Variable x(Tensor::full({2, 4}, 0.5), true);
  const Tensor memory = Tensor::zeros({4});
  const auto dtype = invalid<DType>(5);  // the first number that is free
  VaeOptions options;
  options.features = 4;
  const Vae model(options, Device::cpu());
  Adam optimizer(model.parameters());
  const Dataset data{1, 4, Tensor::zeros({3, 4})};
  const auto trainer_with = [&](const TrainOptions& how) {
    return call([&, how] { return Trainer(model, optimizer, data, {}, how).steps_done(); });
  };
  options.activation = invalid<Activation>();
  Initializer weights, generator;
  weights.weight = invalid<WeightInit>();
  generator.generator = invalid<InitGenerator>();
  const auto layer = [](const Initializer& initializer) {
    return call([=] { return Linear("l", 2, 2, Activation::relu, initializer, Device::cpu()).weight; });
  };
  const auto axis = invalid<Axis>();
  const auto scale = invalid<PosteriorScale>();
  const Dataset bytes{1, 2, Tensor::zeros({3, 2})};
  expect_errors({
      {"view", call([&] { return Tensor::view(memory.data(), {4}, dtype, Device::cpu()); })},
      {"empty", call([&] { return Tensor::empty({4}, dtype); })},
      {"full", call([&] { return Tensor::full({4}, 1, dtype); })},
      {"to", call([&] { return memory.to(dtype); })},
      {"random_normal", call([&] { return random_normal({2}, {}, 0, 1, dtype); })},
      {"activate", call([&] { return activate(x, invalid<Activation>(8)); })},
      {"linear", call([&] { return linear(x, x, {}, invalid<Activation>()); })},
      {"linear, precision", call([&] { return linear(x, x, {}, Activation::relu, invalid<Precision>()); })},
      {"Vae", call([&] { return Vae(options, Device::cpu()).parameter_count(); })},
      {"Linear, weight", layer(weights)},
      {"Linear, generator", layer(generator)},
      {"sum", call([&] { return sum(x, axis); })},
      {"mean", call([&] { return mean(x, axis); })},
      {"softmax", call([&] { return softmax(x, axis); })},
      {"log_sum_exp", call([&] { return log_sum_exp(x, axis); })},
      {"concat", call([&] {
         return concat({x, x}, axis);
       })},
      {"sample_posterior", call([&] { return sample_posterior(x, {.scale = scale}); })},
      {"kl_divergence", call([&] { return kl_divergence(x, scale); })},
      {"unfused kl", call([&] { return unfused::kl_divergence(x, scale); })},
      {"mixture", call([&] { return mixture_log_density(columns(x, 0, 2), x, scale, {}); })},
      {"diagonal_gaussian", call([&] { return diagonal_gaussian({.scale = scale}); })},
      {"gather_batch", call([&] {
         return gather_batch(bytes, 1, {.steps_per_epoch = 3}, {.binarize = invalid<Binarize>()});
       })},
      {"defaults", call([&] { return OptimizerOptions::defaults(invalid<OptimizerKind>()); })},
      {"Optimizer", call([&] {
         const std::vector<Parameter> parameters = {{"x", x, false}};
         return Optimizer(parameters, {.kind = invalid<OptimizerKind>()}).steps();
       })},
      {"Trainer, executor", trainer_with({.executor = invalid<Executor>()})},
      {"Trainer, on_nan", trainer_with({.on_nan = invalid<OnNan>()})},
      {"set_log_callback", [] { set_log_callback({}, invalid<LogLevel>()); }},
  });
}

TEST(Enumerators, OtherNumbersHaveNoName) {
  const auto dtype = invalid<DType>(5);
  const auto axis = invalid<Axis>();
  const auto scale = invalid<PosteriorScale>();
  expect_errors({
      {"name of a dtype", call([&] { return name(dtype); })},
      {"name of a log level", call([&] { return name(invalid<LogLevel>()); })},
      {"name of an axis", call([&] { return name(axis); })},
      {"name of an activation", call([&] { return name(invalid<Activation>()); })},
      {"name of a precision", call([&] { return name(invalid<Precision>()); })},
      {"name of a scale", call([&] { return name(scale); })},
      {"name of a binarization", call([&] { return name(invalid<Binarize>()); })},
      {"name of an optimiser", call([&] { return name(invalid<OptimizerKind>()); })},
      {"name of a form of average", call([&] { return name(invalid<AverageForm>()); })},
      {"name of an executor", call([&] { return name(invalid<Executor>()); })},
      {"name of on_nan", call([&] { return name(invalid<OnNan>()); })},
      {"name of an error", call([&] { return name(invalid<ErrorKind>()); })},
      {"name of a weight init", call([&] { return name(invalid<WeightInit>()); })},
      {"name of a generator", call([&] { return name(invalid<InitGenerator>()); })},
      {"name of values", call([&] { return name(invalid<ValueKind>()); })},
      {"name of a header", call([&] { return name(invalid<Header>()); })},
      {"name of a placement", call([&] { return name(invalid<Placement>()); })},
  });
}

}  // namespace
}  // namespace gpuvae
