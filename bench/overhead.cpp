// Measures the time of single operations on a batch of one row, [1, 8], on the CPU: almost all of it is the
// library's overhead. Prints nanoseconds per call, the median and the least of 41 rounds. With an argument, the
// exit status is 1 if a median exceeds that many nanoseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gpuvae/ops.h"
#include "gpuvae/threads.h"

namespace {

using namespace gpuvae;

double limit = 0;
bool within = true;

// Times `body`, whose results are dropped.
template <class Body>
void measure(const char* name, const Body& body) {
  constexpr int kRounds = 41, kCalls = 2000;
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) body();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    rounds.push_back(time.count() / kCalls);
  }
  std::sort(rounds.begin(), rounds.end());
  const double median = rounds[kRounds / 2];
  std::printf("%-32s %8.0f %8.0f\n", name, median, rounds[0]);
  if (limit > 0 && !(median <= limit)) within = false;
}

void measure_operations(const char* mode, bool gradients) {
  const Variable x(Tensor::full({1, 8}, 0.5), gradients), y(Tensor::full({1, 8}, 0.25), gradients);
  const Variable weight(Tensor::full({8, 8}, 0.125), gradients), bias(Tensor::full({8}, 0.5), gradients);
  char name[64];
  const auto each = [&](const char* operation, const auto& body) {
    std::snprintf(name, sizeof name, "%s, %s", operation, mode);
    measure(name, body);
  };
  each("add", [&] { static_cast<void>(add(x, y)); });
  each("relu", [&] { static_cast<void>(activate(x, Activation::relu)); });
  each("linear", [&] { static_cast<void>(linear(x, weight, bias)); });
  each("linear with relu", [&] { static_cast<void>(linear(x, weight, bias, Activation::relu)); });
  each("linear with tanh", [&] { static_cast<void>(linear(x, weight, bias, Activation::tanh)); });
  each("sum", [&] { static_cast<void>(sum(x)); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) limit = std::atof(argv[1]);
  std::printf("%-32s %8s %8s\n", "ns per call", "median", "least");
  measure_operations("no gradients", false);
  measure_operations("recorded", true);
  const Variable x(Tensor::full({1, 8}, 0.5), true), weight(Tensor::full({8, 8}, 0.125), true),
      bias(Tensor::full({8}, 0.5), true);
  measure("forward and backward of 3", [&] {
    sum(linear(x, weight, bias, Activation::relu)).backward();
    for (const Variable* v : {&x, &weight, &bias}) v->zero_grad();
  });
  measure("Tensor::empty", [] { static_cast<void>(Tensor::empty({1, 8})); });
  return within ? 0 : 1;
}
