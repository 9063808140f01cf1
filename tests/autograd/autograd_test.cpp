#include "gpuvae/autograd.h"

#include <gtest/gtest.h>

#include "gpuvae/ops.h"

namespace gpuvae {
namespace {

Variable leaf(std::vector<float> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return Variable(Tensor::from(values, {n}), true);
}

TEST(Autograd, GradientsAccumulateUntilCleared) {
  const Variable x = leaf({1, 2, 3});
  sum(square(x)).backward();
  sum(square(x)).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{4, 8, 12}));
  x.zero_grad();
  EXPECT_FALSE(x.grad());
  sum(square(x)).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{2, 4, 6}));
}

TEST(Autograd, AVariableUsedTwiceReceivesBothGradients) {
  const Variable x = leaf({3});
  const Variable y = square(x);
  sum(add(multiply(y, x), y)).backward();  // x^3 + x^2
  EXPECT_EQ(x.grad().item(), 27 + 6);
}

TEST(Autograd, BothInputsOfASumMayBeTheSame) {
  const Variable x = leaf({1, -2});
  sum(multiply(add(x, x), Tensor::from(std::vector<float>{1, 10}, {2}))).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{2, 20}));
}

TEST(Autograd, RootsAreWeighted) {
  const Variable x = leaf({2});
  const autograd::Root roots[] = {{sum(square(x)), 0.5}, {sum(x), -3}};
  autograd::backward(roots);
  EXPECT_EQ(x.grad().item(), 0.5 * 4 - 3);
}

TEST(Autograd, ASecondPassOverAFreedGraphIsAnError) {
  const Variable x = leaf({1});
  const Variable y = sum(square(x));
  y.backward();
  try {
    y.backward();
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("retain_graph"), std::string::npos) << e.what();
  }
}

TEST(Autograd, ARetainedGraphGivesTheSameGradientAgain) {
  const Variable x = leaf({0.5f, -1});
  const Variable y = bce_with_logits(x, Tensor::from(std::vector<float>{1, 0}, {2}));
  y.backward(true);
  const auto first = x.grad().to_vector();
  x.zero_grad();
  y.backward();
  EXPECT_EQ(x.grad().to_vector(), first);
}

TEST(Autograd, NothingIsRecordedUnderNoGrad) {
  const Variable x = leaf({1});
  const NoGradGuard guard;
  EXPECT_FALSE(square(x).requires_grad());
}

TEST(Autograd, ConstantsNonScalarRootsAndIntegerLeavesAreErrors) {
  EXPECT_THROW(sum(Variable(Tensor::zeros({2}))).backward(), Error);
  EXPECT_THROW(leaf({1, 2}).backward(), Error);
  EXPECT_THROW(Variable(Tensor::from(std::vector<std::int32_t>{1}, {1}), true), Error);
}

TEST(Autograd, ALongChainNeedsNoRecursionInBackwardOrDestruction) {
  const Variable x = leaf({1});
  {
    Variable y = x;
    for (int i = 0; i < 100'000; ++i) y = affine(y, 1, 0);
    sum(y).backward();
    EXPECT_EQ(x.grad().item(), 1);
  }
  Variable dropped = x;
  for (int i = 0; i < 100'000; ++i) dropped = affine(dropped, 1, 0);
}

TEST(Autograd, GradientsAreWrittenToTheGivenStorage) {
  const Variable x = leaf({1, 2});
  const Tensor arena = Tensor::full({2}, 99);
  x.set_grad_storage(arena);
  sum(square(x)).backward();
  EXPECT_EQ(arena.to_vector(), (std::vector<float>{2, 4}));
  sum(square(x)).backward();
  EXPECT_EQ(arena.to_vector(), (std::vector<float>{4, 8}));
}

TEST(Autograd, AnErrorLeavesNoPartialGradients) {
  const Variable x = leaf({1});
  const Variable freed = square(x);
  sum(freed).backward();
  x.zero_grad();
  EXPECT_THROW(sum(add(square(x), freed)).backward(), Error);
  x.zero_grad();
  sum(square(x)).backward();
  EXPECT_EQ(x.grad().item(), 2);
}

TEST(Operations, ErrorsNameExpectedAndActualShapes) {
  const Variable x = Tensor::zeros({2, 3}), w = Tensor::zeros({4, 5});
  try {
    static_cast<void>(linear(x, w, {}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "[linear] expected a weight of [out, 3] for x [2, 3], got [4, 5]");
  }
  EXPECT_THROW(static_cast<void>(add(x, w)), Error);
  EXPECT_THROW(static_cast<void>(add(x, Variable())), Error);
  EXPECT_THROW(static_cast<void>(multiply(x, Tensor::zeros({3}, DType::f64))), Error);
  EXPECT_THROW(static_cast<void>(sample_posterior(x, {})), Error);  // an odd width
  EXPECT_THROW(static_cast<void>(bce_with_logits(x, Tensor::zeros({3, 2}))), Error);
  EXPECT_THROW(static_cast<void>(gaussian_nll(Tensor::zeros({2, 6}), x, {true, 3, -3})), Error);
  EXPECT_THROW(static_cast<void>(matmul(x, w)), Error);
  EXPECT_THROW(static_cast<void>(columns(x, 2, 2)), Error);
}

}  // namespace
}  // namespace gpuvae
