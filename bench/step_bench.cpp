// A training step of 784-256-2-256-784 beside its bare oneDNN matrix products, on one thread and on two: the
// two are timed in turns within one run, so that a noisy machine disturbs both alike. Prints medians and
// their ratio.
#include <dnnl.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "apps/common/program.h"
#include "gpuvae/train.h"

namespace gpuvae {
namespace {

constexpr int kSteps = 20, kRounds = 101;
constexpr std::int64_t kBatch = 100;

double microseconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}
double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

// c[m, n] = op(a) op(b)
struct Product {
  bool ta, tb;
  std::int64_t m, n, k;
};
// All eleven of the step, by layer: forward, weight gradient, input gradient (the images need none).
const Product kProducts[] = {
    {false, true, kBatch, 256, 784}, {true, false, 256, 784, kBatch}, {false, true, kBatch, 4, 256},
    {true, false, 4, 256, kBatch},   {false, false, kBatch, 256, 4},  {false, true, kBatch, 256, 2},
    {true, false, 256, 2, kBatch},   {false, false, kBatch, 2, 256},  {false, true, kBatch, 784, 256},
    {true, false, 784, 256, kBatch}, {false, false, kBatch, 256, 784}};

class BareProducts {
 public:
  BareProducts() {
    for (const Product& p : kProducts) {
      const Noise noise{.seed = 1, .purpose = RandomPurpose::test};
      const auto random = [&](std::int64_t n) { return random_normal({n}, noise); };
      operands_.push_back({random(p.m * p.k), random(p.k * p.n), random(p.m * p.n)});
    }
  }
  void run() {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Product& p = kProducts[i];
      const auto& [a, b, c] = operands_[i];
      dnnl_sgemm(p.ta ? 'T' : 'N', p.tb ? 'T' : 'N', p.m, p.n, p.k, 1, a.data_as<float>(), p.ta ? p.m : p.k,
                 b.data_as<float>(), p.tb ? p.k : p.n, 0, c.data_as<float>(), p.n);
    }
  }

 private:
  struct Operands {
    Tensor a, b, c;
  };
  std::vector<Operands> operands_;
};

void measure(int threads, OptimizerKind kind) {
  omp_set_num_threads(threads);
  const Split data = procedural_mnist(kSteps * kBatch, 1);
  VaeOptions options;
  Vae model(options, Device::cpu());
  Optimizer optimizer(model.parameters(), OptimizerOptions::defaults(kind));
  Trainer trainer(model, optimizer, data.train, data.test.slice(0, 0), {});
  BareProducts products;
  std::vector<double> step, bare, ratio;
  for (int round = 0; round < kRounds + 5; ++round) {
    const double a = microseconds([&] { trainer.run_epoch(); }) / kSteps;
    const double b = microseconds([&] {
                       for (int i = 0; i < kSteps; ++i) products.run();
                     }) /
                     kSteps;
    if (round < 5) continue;  // warm-up
    step.push_back(a), bare.push_back(b), ratio.push_back(a / b);
  }
  fmt::print("| {} | {} | {:.0f} | {:.0f} | {:.2f} |\n", name(kind), threads, median(step), median(bare),
             median(ratio));
  std::fflush(stdout);
}

}  // namespace
}  // namespace gpuvae

int main(int, char** argv) {
  using namespace gpuvae;
  apps::calm_openmp(argv);  // as the programs run
  fmt::print("784-256-2-256-784, batch {}, f32, {}\nmedians of {} rounds of {} steps, taken in turns\n\n",
             kBatch, Device::cpu().description(), kRounds, kSteps);
  fmt::print(
      "| optimiser | threads | step, us | its 11 bare products, us | ratio |\n|---|---|---|---|---|\n");
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop})
    for (const int threads : {2, 1}) measure(threads, kind);
}
