// Measures the time of single operations on a batch of one row, [1, 8], on the CPU: almost all of it is the
// library's overhead. Prints nanoseconds per call, the median and the least of 41 rounds. With an argument,
// the exit status is 1 if the least time of an operation exceeds that many nanoseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <vector>

#include "gpuvae/ops.h"
#include "kernels/ranges.h"

namespace {

using namespace gpuvae;

// Times `body`, prints the result, and returns the least time of a call in nanoseconds.
template <class Body>
double measure(const char* operation, const char* mode, const Body& body) {
  constexpr int kRounds = 41, kCalls = 2000;
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) body();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    rounds.push_back(time.count() / kCalls);
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("%-24s %-12s %8.0f %8.0f\n", operation, mode, rounds[kRounds / 2], rounds[0]);
  return rounds[0];
}

// Returns the largest time of an operation, with its result dropped: "recorded" includes the destruction of
// the node.
double measure_operations(const char* mode, bool gradients) {
  const Variable x(Tensor::full({1, 8}, 0.5), gradients), y(Tensor::full({1, 8}, 0.25), gradients);
  const Variable weight(Tensor::full({8, 8}, 0.125), gradients), bias(Tensor::full({8}, 0.5), gradients);
  const double times[] = {
      measure("add", mode, [&] { static_cast<void>(add(x, y)); }),
      measure("relu", mode, [&] { static_cast<void>(activate(x, Activation::relu)); }),
      measure("linear", mode, [&] { static_cast<void>(linear(x, weight, bias)); }),
      measure("linear with relu", mode,
              [&] { static_cast<void>(linear(x, weight, bias, Activation::relu)); }),
      measure("linear with tanh", mode,
              [&] { static_cast<void>(linear(x, weight, bias, Activation::tanh)); }),
      measure("sum", mode, [&] { static_cast<void>(sum(x)); }),
  };
  return *std::max_element(std::begin(times), std::end(times));
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("%-24s %-12s %8s %8s   (ns per call)\n", "operation", "", "median", "least");
  const double plain = measure_operations("", false);
  const double largest = std::max(plain, measure_operations("recorded", true));
  const Variable x(Tensor::full({1, 8}, 0.5), true), weight(Tensor::full({8, 8}, 0.125), true),
      bias(Tensor::full({8}, 0.5), true);
  measure("linear, sum, backward", "", [&] {
    sum(linear(x, weight, bias, Activation::relu)).backward();
    for (const Variable* v : {&x, &weight, &bias}) v->zero_grad();
  });
  measure("Tensor::empty", "", [] { static_cast<void>(Tensor::empty({1, 8})); });
  measure("profiler's range", "", [] { const kernels::Range range("range"); });
  return argc > 1 && !(largest <= std::atof(argv[1])) ? 1 : 0;
}
