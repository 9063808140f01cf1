// Checks the NVTX ranges of the library with the profiler of nvtx_tool.cpp (argument 1), which NVTX loads.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "gpuvae/train.h"

namespace {

using namespace gpuvae;

bool expect(bool condition, const char* what, const std::string& got) {
  if (!condition) std::printf("expected %s, got:\n%s\n", what, got.c_str());
  return condition;
}

// Returns the ranges that `body` adds.
template <class Body>
std::string ranges_of(const char* (*all)(), const Body& body) {
  const std::size_t before = std::string(all()).size();
  body();
  return std::string(all()).substr(before);
}

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

bool check_ranges(const char* (*all)(), int (*depth)()) {
  const Variable x(Tensor::full({2, 3}, 1), true), weight(Tensor::full({4, 3}, 1), true);
  Variable total;
  const std::string forward = ranges_of(all, [&] { total = sum(linear(x, weight, {})); });
  const std::string backward = ranges_of(all, [&] { total.backward(); });

  VaeOptions options;
  options.features = 4;
  const Vae model(options, Device::cpu());
  Adam adam(model.parameters());
  const Dataset data{1, 4, Tensor::zeros({6, 4})};
  Trainer trainer(model, adam, data, data, {.batch_size = 3});
  const std::string training = ranges_of(all, [&] { trainer.run_epoch(); });

  bool right = expect(forward == "gpuvae:gemm\ngpuvae:reduce\n", "a range per kernel", forward);
  right &= expect(has(backward, "gpuvae:backward") && has(backward, " gpuvae:sum") &&
                      has(backward, " gpuvae:linear") && has(backward, "  gpuvae:gemm"),
                  "a range per operation, inside that of the backward pass", backward);
  right &= expect(has(training, "gpuvae:train") && has(training, " gpuvae:step") &&
                      has(training, "  gpuvae:optimizer_step") && has(training, "gpuvae:evaluate"),
                  "the phases of an epoch", training);
  // An error closes its ranges.
  try {
    Tensor::zeros({1}, DType::u8).fill(1);
  } catch (const Error&) {
  }
  return expect(depth() == 0, "as many ends as beginnings", std::to_string(depth())) && right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || setenv("NVTX_INJECTION64_PATH", argv[1], 1) != 0) return 2;
  // NVTX loads the tool when the library first uses a device.
  static_cast<void>(Tensor::zeros({1}));
  void* tool = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
  if (!tool) {
    std::printf("expected NVTX to load %s\n", argv[1]);
    return 1;
  }
  const auto ranges = reinterpret_cast<const char* (*)()>(dlsym(tool, "nvtx_tool_ranges"));
  const auto depth = reinterpret_cast<int (*)()>(dlsym(tool, "nvtx_tool_depth"));
  if (!ranges || !depth) return 1;
  return check_ranges(ranges, depth) ? 0 : 1;
}
