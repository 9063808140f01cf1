// A program with its own OpenMP threads uses the library: inside a parallel region every call gives the same
// result, and OpenMP's settings stay as they were. This program is compiled with OpenMP; the library does not
// use it.
#include <omp.h>

#include <cstdio>
#include <vector>

#include "gpuvae/gpuvae.h"

namespace {

std::vector<float> layer(gpuvae::Activation activation) {
  using namespace gpuvae;
  const NoGradGuard no_gradients;
  const Noise noise{.seed = 3, .purpose = RandomPurpose::test};
  const Variable x(random_normal({100, 784}, noise, 0, 1)), weight(random_normal({256, 784}, noise, 0, 1));
  const Variable bias(random_normal({256}, noise, 0, 1));
  return linear(x, weight, bias, activation).value().to_vector();
}

}  // namespace

int main() {
  constexpr int kThreads = 3, kRepeats = 20;
  omp_set_num_threads(kThreads);
  omp_set_dynamic(0);
  gpuvae::set_num_threads(1);
  const std::vector<float> expected = layer(gpuvae::Activation::tanh);
  gpuvae::set_num_threads(2);
  int different = 0, team = 0;
#pragma omp parallel reduction(+ : different)
  {
#pragma omp single
    team = omp_get_num_threads();
    for (int i = 0; i < kRepeats; ++i) different += layer(gpuvae::Activation::tanh) != expected;
  }
  different += layer(gpuvae::Activation::tanh) != expected;
  const int left = omp_get_max_threads();
  std::printf("%d different results on %d threads; OpenMP's number of threads is %d\n", different, team,
              left);
  return different > 0 || team != kThreads || left != kThreads;
}
