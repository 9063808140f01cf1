// Tests every case of every operation: values, gradients, fused against unfused, CUDA against CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

#include "gpuvae/threads.h"
#include "tests/cases/case.h"
#include "tests/exact_allocator.h"
#include "tests/guarded_allocator.h"
#include "tests/second_run.h"

namespace gpuvae::cases {
namespace {

struct Result {
  std::vector<Doubles> outputs, gradients;  // gradients of the differentiable inputs, in order
  double total = 0;                         // weighted sum of all outputs
};

Variables make_inputs(const Case& c, DType dtype, Device device) {
  Variables inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Doubles values = input_values(c.inputs[i], i);
    const Tensor exact = Tensor::from(values, c.inputs[i].shape);
    inputs.emplace_back(exact.to(dtype).to(device), c.inputs[i].differentiable);
  }
  return inputs;
}

// Sums the outputs with fixed, uneven weights, so that the gradient reaches every output element.
Variable weighted_total(const Variables& outputs) {
  Variable total;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Doubles weights = input_values({outputs[i].shape(), 0.5, 1.5}, 100 + i);
    const Tensor w = Tensor::from(weights, outputs[i].shape()).to(outputs[i].dtype()).to(outputs[i].device());
    const Variable part = sum(multiply(outputs[i], w));
    total = total ? add(total, part) : part;
  }
  return total;
}

using Function = std::function<Variables(std::span<const Variable>)>;

Result evaluate(const Case& c, const Function& f, DType dtype, Device device) {
  const Variables inputs = make_inputs(c, dtype, device);
  const Variables outputs = f(inputs);
  Result result;
  for (const Variable& o : outputs) result.outputs.push_back(o.value().to_doubles());
  const Variable total = weighted_total(outputs);
  result.total = total.value().item();
  if (!total.requires_grad()) return result;
  total.backward();
  for (const Variable& input : inputs)
    if (input.requires_grad()) result.gradients.push_back(input.grad().to_doubles());
  return result;
}

double largest(const Doubles& v) {
  double most = 0;
  for (double x : v) most = std::max(most, std::fabs(x));
  return most;
}

// Expects every element to be within tolerance, relative to the largest expected element. NaN fails.
void expect_close(const Doubles& got, const Doubles& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  const double bound = tolerance * std::max(largest(expected), 1e-30);
  int bad = 0;
  for (std::size_t i = 0; i < got.size() && bad < 3; ++i)
    if (!(std::fabs(got[i] - expected[i]) <= bound)) {
      ++bad;
      ADD_FAILURE() << what << ": element " << i << " is " << got[i] << ", expected " << expected[i]
                    << " within " << bound;
    }
}

void expect_close(const Result& got, const Result& expected, double tolerance, double gradient_tolerance) {
  ASSERT_EQ(got.outputs.size(), expected.outputs.size());
  for (std::size_t i = 0; i < got.outputs.size(); ++i)
    expect_close(got.outputs[i], expected.outputs[i], tolerance, "output " + std::to_string(i));
  ASSERT_EQ(got.gradients.size(), expected.gradients.size());
  for (std::size_t i = 0; i < got.gradients.size(); ++i)
    expect_close(got.gradients[i], expected.gradients[i], gradient_tolerance,
                 "gradient " + std::to_string(i));
}

// The emulated device is so slow that the largest cases would take minutes. There, GPUVAE_TEST_ELEMENTS
// limits the number of input elements.
bool too_large_for_emulation(const Case& c) {
  std::int64_t elements = 0;
  for (const Input& i : c.inputs) elements += i.shape.elements();
  const char* limit = std::getenv("GPUVAE_TEST_ELEMENTS");
  return limit && elements > std::atoll(limit);
}

class Operation : public testing::TestWithParam<Case> {};

TEST_P(Operation, MatchesNaiveReference) {
  const Case& c = GetParam();
  std::vector<Doubles> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) inputs.push_back(input_values(c.inputs[i], i));
  const std::vector<Doubles> expected = c.reference(inputs);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const GuardedAllocator::Scope guarded(Device::cpu());
    const Result result = evaluate(c, c.run, dtype, Device::cpu());
    ASSERT_EQ(result.outputs.size(), expected.size());
    // Random numbers are drawn in f32 for every data type.
    const bool exact = dtype == DType::f64 && c.operation.find("random") && c.operation.find("sample");
    for (std::size_t i = 0; i < expected.size(); ++i)
      expect_close(result.outputs[i], expected[i], exact ? 1e-11 : c.tolerance,
                   std::string(name(dtype)) + " output " + std::to_string(i));
  }
}

TEST_P(Operation, GradientMatchesCentralDifferences) {
  const Case& c = GetParam();
  const Result result = evaluate(c, c.run, DType::f64, Device::cpu());
  if (result.gradients.empty()) GTEST_SKIP() << "no differentiable input";
  if (!c.true_gradient) GTEST_SKIP() << "the gradient is not that of the value";
  Variables inputs = make_inputs(c, DType::f64, Device::cpu());
  const NoGradGuard no_grad;
  std::size_t which = 0;
  for (const Variable& input : inputs) {
    if (!input.requires_grad()) continue;
    const Doubles& gradient = result.gradients[which++];
    double* x = input.value().data_as<double>();
    const std::int64_t n = input.shape().elements(), stride = std::max<std::int64_t>(1, n / 6);
    for (std::int64_t i = 0; i < n; i += stride) {
      const double h = 1e-5, before = x[i];
      x[i] = before + h;
      const double up = weighted_total(c.run(inputs)).value().item();
      x[i] = before - h;
      const double down = weighted_total(c.run(inputs)).value().item();
      x[i] = before;
      const double expected = (up - down) / (2 * h);
      // The rounding errors of the two totals, divided by 2 h, are about 1e-11 of the total.
      const double bound = 1e-6 * std::max(1.0, largest(gradient)) + 1e-10 * std::fabs(up) / h * 1e-5 +
                           1e-15 * std::fabs(up) / h;
      EXPECT_TRUE(std::fabs(gradient[i] - expected) <= bound)
          << "element " << i << " of input " << which - 1 << ": " << gradient[i] << ", expected " << expected;
    }
  }
}

TEST_P(Operation, SinglePrecisionMatchesDoublePrecision) {
  const Case& c = GetParam();
  const Result exact = evaluate(c, c.run, DType::f64, Device::cpu());
  const Result single = evaluate(c, c.run, DType::f32, Device::cpu());
  expect_close(single, exact, c.tolerance, c.gradient_tolerance);
}

TEST_P(Operation, FusedMatchesUnfused) {
  const Case& c = GetParam();
  if (!c.unfused) GTEST_SKIP() << "a primitive, which has no unfused implementation";
  expect_close(evaluate(c, c.run, DType::f64, Device::cpu()),
               evaluate(c, c.unfused, DType::f64, Device::cpu()), 1e-9, 1e-9);
  expect_close(evaluate(c, c.run, DType::f32, Device::cpu()),
               evaluate(c, c.unfused, DType::f32, Device::cpu()), c.tolerance, c.gradient_tolerance);
}

TEST_P(Operation, SameBitsForAnyNumberOfThreads) {
  const Case& c = GetParam();
  const int threads = num_threads();
  std::vector<Result> results;
  for (int t : {1, 2, 3}) {
    set_num_threads(t);
    results.push_back(evaluate(c, c.run, DType::f32, Device::cpu()));
  }
  set_num_threads(threads);
  for (const Result& r : results) {
    EXPECT_EQ(r.outputs, results[0].outputs);
    EXPECT_EQ(r.gradients, results[0].gradients);
  }
}

TEST_P(Operation, CudaMatchesCpu) {
  const Case& c = GetParam();
  if (Device::cuda_count() == 0) {
    ASSERT_EQ(std::getenv("GPUVAE_REQUIRE_GPU"), nullptr) << "a GPU is required";
    GTEST_SKIP() << "no GPU";
  }
  if (too_large_for_emulation(c)) GTEST_SKIP() << "too large for the emulated device";
  const Result cpu = evaluate(c, c.run, DType::f32, Device::cpu());
  const ExactAllocator::Scope exact(Device::cuda());
  const Result cuda = evaluate(c, c.run, DType::f32, Device::cuda());
  expect_close(cuda, cpu, c.tolerance, c.gradient_tolerance);
  const SecondRun second;
  const Result again = evaluate(c, c.run, DType::f32, Device::cuda());
  EXPECT_EQ(cuda.outputs, again.outputs) << "two runs are not bitwise equal";
  EXPECT_EQ(cuda.gradients, again.gradients) << "two runs are not bitwise equal";
  EXPECT_EQ(cuda.total, again.total) << "two runs are not bitwise equal";
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  return std::regex_replace(info.param.name, std::regex("[^A-Za-z0-9]+"), "_") + "_" +
         std::to_string(info.index);
}
INSTANTIATE_TEST_SUITE_P(Cases, Operation, testing::ValuesIn(all_cases()), test_name);

TEST(Operations, EachPublicOperationHasACase) {
  std::ifstream header(GPUVAE_SOURCE_DIR "/include/gpuvae/ops.h");
  const std::string text((std::istreambuf_iterator<char>(header)), {});
  const std::regex declaration(
      R"(\n\[\[nodiscard\]\] (?:Variable|Tensor|PosteriorSample|PosteriorDraws|DensitySample|FlowSample|ImportanceLoss) (operator.|\w+)\()");
  // A case compares CUDA with the CPU. cuRAND has no CPU implementation; tests/ptx/curand_test.cpp tests it.
  std::set<std::string> with_case = {"curand_normal", "curand_uniform"};
  for (const Case& c : all_cases()) with_case.insert(c.operation);
  int found = 0;
  for (std::sregex_iterator i(text.begin(), text.end(), declaration), end; i != end; ++i, ++found)
    EXPECT_TRUE(with_case.contains((*i)[1])) << (*i)[1] << " has no case in tests/cases";
  EXPECT_GE(found, 50);
}

}  // namespace
}  // namespace gpuvae::cases
