// Tests custom operations: their gradients, what they save, and which uses are errors.
#include "gpuvae/custom.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "gpuvae/ops.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::message_of;

Tensor custom_numbers(std::vector<float> values, Device device = Device::cpu()) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}, device);
}

// Computes a^2 b element by element. Both the value and the gradients use the library's own operations.
Variable square_times(const Variable& a, const Variable& b) {
  const Tensor value = (square(a.value()) * b.value()).value();
  return custom("square_times", {a, b}, value,
                [](const Tensor& d_output, const CustomContext& context) {
                  const Variable d = d_output, kept_a = context.saved(0), kept_b = context.saved(1);
                  std::vector<Tensor> gradients(2);
                  if (context.needs_gradient(0)) gradients[0] = (2 * d * kept_a * kept_b).value();
                  if (context.needs_gradient(1)) gradients[1] = (d * square(kept_a)).value();
                  return gradients;
                },
                {a.value(), b.value()});
}

// The identity as a custom operation, whose backward function returns `gradients`.
Variable returning(const Variable& x, std::vector<Tensor> gradients) {
  return custom("mine", {x}, x.value().clone(),
                [gradients](const Tensor&, const CustomContext&) { return gradients; });
}

TEST(CustomOnDevice, GradientsFlowThroughTheOperationAndAroundIt) {
  const Device device = Device::best();
  const Variable a(custom_numbers({1, -2, 3}, device), true), b(custom_numbers({5, 7, -1}, device), true);
  const Variable w = custom_numbers({1, 10, 100}, device);
  const Variable y = square_times(2 * a, b);  // 4 a^2 b
  EXPECT_EQ(y.value().to_vector(), (std::vector<float>{20, 112, -36}));
  sum(w * y + a).backward();
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{8 * 5 + 1, 10 * 8 * -2 * 7 + 1, 100 * 8 * 3 * -1 + 1}));
  EXPECT_EQ(b.grad().to_vector(), (std::vector<float>{4, 10 * 16, 100 * 36}));
}

TEST(Custom, ConstantsGetNoGradient) {
  const Variable a(custom_numbers({2, 3}), true), b = custom_numbers({5, 7});
  sum(square_times(a, b)).backward();
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{20, 42}));
  EXPECT_FALSE(b.grad());
}

TEST(Custom, AGradientForAConstantIsIgnored) {
  const Variable x(custom_numbers({1, 2}), true), constant = custom_numbers({1, 2, 3});
  const Variable y =
      custom("mine", {constant, x}, x.value().clone(), [](const Tensor& d, const CustomContext&) {
        return std::vector<Tensor>{custom_numbers({1}), d};
      });
  sum(y).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{1, 1}));
}

TEST(Custom, AnInputMayAppearTwice) {
  const Variable x(custom_numbers({3}), true);
  sum(square_times(x, x)).backward();  // x^3
  EXPECT_EQ(x.grad().item(), 27);
}

TEST(Custom, AnUndefinedGradientCountsAsZero) {
  const Variable x(custom_numbers({1, 2}), true);
  sum(returning(x, {Tensor()}) + 3 * x).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{3, 3}));
}

TEST(Custom, AReturnedGradientIsNotModified) {
  const Variable x(custom_numbers({1, 2}), true);
  const Tensor mine = custom_numbers({5, 6});
  sum(returning(x, {mine})).backward();
  sum(returning(x, {mine})).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{10, 12}));
  EXPECT_EQ(mine.to_vector(), (std::vector<float>{5, 6}));
}

TEST(Custom, TheResultUnderNoGradIsAConstant) {
  const Variable x(custom_numbers({1, 2}), true);
  const NoGradGuard guard;
  const Variable y = square_times(x, x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(y.value().to_vector(), (std::vector<float>{1, 8}));
}

TEST(Custom, WrongGradientsAreErrors) {
  const Variable x(custom_numbers({1, 2}), true);
  const auto message = [&](std::vector<Tensor> gradients) {
    return message_of([&] { sum(returning(x, gradients)).backward(); });
  };
  EXPECT_EQ(message({}), "[mine] expected 1 gradients from backward, got 0");
  EXPECT_EQ(message({custom_numbers({1, 2, 3})}),
            "[mine] expected f32[2] on cpu as the gradient of input 0, got f32[3] on cpu");
  EXPECT_EQ(message({Tensor::zeros({2}, DType::f64)}),
            "[mine] expected f32[2] on cpu as the gradient of input 0, got f64[2] on cpu");
  EXPECT_FALSE(x.grad()) << "an error must not leave a gradient behind";
}

TEST(CustomOnDevice, AGradientOnAnotherDeviceIsAnError) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Variable x(custom_numbers({1, 2}, Device::cuda()), true);
  EXPECT_EQ(message_of([&] {
              sum(returning(x, {custom_numbers({1, 2})})).backward();
            }),
            "[mine] expected f32[2] on cuda:0 as the gradient of input 0, got f32[2] on cpu");
}

TEST(Custom, InvalidArgumentsAreErrors) {
  const Variable x(custom_numbers({1, 2}), true);
  const CustomBackward none = [](const Tensor&, const CustomContext&) { return std::vector<Tensor>(); };
  const auto made = [&](const Variable& input, const Tensor& value, const CustomBackward& backward) {
    return message_of([&] { static_cast<void>(custom("mine", {input}, value, backward)); });
  };
  EXPECT_EQ(made(Variable(), x.value(), none),
            "[mine] expected input 0 to be defined, got an undefined variable");
  EXPECT_EQ(made(x, Tensor::empty({2}, DType::i32), none),
            "[mine] expected a value of f32 or f64, got i32[2] on cpu");
  EXPECT_EQ(made(x, Tensor(), none), "[mine] expected a value of f32 or f64, got an undefined tensor");
  EXPECT_EQ(made(x, x.value(), nullptr), "[mine] expected a backward function, got an empty one");
}

TEST(Custom, IndicesOutOfRangeAreErrors) {
  const Variable x(custom_numbers({1, 2}), true);
  const auto asking = [&](const std::function<void(const CustomContext&)>& ask) {
    return message_of([&] {
      sum(custom("mine", {x}, x.value().clone(),
                 [ask](const Tensor& d, const CustomContext& context) {
                   ask(context);
                   return std::vector<Tensor>{d};
                 },
                 {x.value()}))
          .backward();
    });
  };
  EXPECT_EQ(asking([](const CustomContext& c) { static_cast<void>(c.saved(1)); }),
            "[mine] expected a saved tensor below 1, got 1");
  EXPECT_EQ(asking([](const CustomContext& c) { static_cast<void>(c.needs_gradient(-1)); }),
            "[mine] expected an input below 1, got -1");
}

TEST(Custom, AnExceptionFromBackwardReachesTheCaller) {
  const Variable x(custom_numbers({1}), true);
  const Variable y = custom("mine", {x}, x.value().clone(), [](const Tensor&, const CustomContext&) {
    throw std::out_of_range("mine");
    return std::vector<Tensor>();
  });
  EXPECT_THROW(y.backward(), std::out_of_range);
  sum(square(x)).backward();
  EXPECT_EQ(x.grad().item(), 2);
}

TEST(Custom, ASavedTensorChangedInPlaceIsAnError) {
  const Variable x(custom_numbers({3}), true);
  const Variable y = square_times(x, x);
  x.value().fill(10);
  EXPECT_EQ(message_of([&] { y.backward(); }).substr(0, 15), "[square_times] ");
}

}  // namespace
}  // namespace gpuvae
