// Every case of every operation, forward and backward, fused and composed, under Google Benchmark. CPU times;
// the cases are those of tests/cases. --benchmark_filter=bce picks some, --benchmark_format=json writes JSON.
#include <benchmark/benchmark.h>

#include "apps/common/program.h"
#include "tests/cases/case.h"

namespace gpuvae::cases {
namespace {

using Function = std::function<Variables(std::span<const Variable>)>;

void run(benchmark::State& state, const Case& c, const Function& f) {
  Variables inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor exact = Tensor::from(input_values(c.inputs[i], i), c.inputs[i].shape);
    inputs.emplace_back(exact.to(DType::f32), c.inputs[i].differentiable);
  }
  // Outputs of one element are backward's roots; others are summed first, in fused and composed alike.
  for (auto _ : state) {
    for (const Variable& input : inputs) input.zero_grad();
    std::vector<autograd::Root> roots;
    for (const Variable& o : f(inputs)) {
      const Variable one = o.shape().elements() == 1 ? o : sum(o);
      if (one.requires_grad()) roots.push_back({one, 1});
    }
    if (!roots.empty()) autograd::backward(roots);
    benchmark::ClobberMemory();
  }
  if (c.bytes > 0)
    state.counters["bytes/s"] = benchmark::Counter(c.bytes, benchmark::Counter::kIsIterationInvariantRate);
  if (c.flops > 0)
    state.counters["flop/s"] = benchmark::Counter(c.flops, benchmark::Counter::kIsIterationInvariantRate);
}

void register_all() {
  for (const Case& c : all_cases()) {
    const auto add = [&](const char* kind, const Function& f) {
      benchmark::RegisterBenchmark((c.name + "/" + kind).c_str(), [&c, f](benchmark::State& s) {
        run(s, c, f);
      })->UseRealTime();
    };
    add(c.composed ? "fused" : "primitive", c.run);
    if (c.composed) add("composed", c.composed);
  }
}

}  // namespace
}  // namespace gpuvae::cases

int main(int argc, char** argv) {
  gpuvae::apps::calm_openmp(argv);
  gpuvae::cases::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
