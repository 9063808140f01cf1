// Tests what an observer of a backend records, on every device.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "gpuvae/ops.h"
#include "kernels/observer.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using test::devices;

class Record final : public kernels::KernelObserver {
 public:
  std::vector<kernels::KernelCall> calls;

  void call(const kernels::KernelCall& call, kernels::StreamHandle,
            const std::function<void()>& run) override {
    calls.push_back(call);
    run();
  }
};

// On CUDA, a product with tanh launches a second kernel, which belongs to the same call.
TEST(ObserverDevice, SeesEachCallOnceWithItsBytesAndFlops) {
  for (const Device device : devices()) {
    const auto ones = [device](Shape shape) { return Tensor::full(shape, 1, DType::f32, device); };
    const Variable x = ones({3, 4}), weight = ones({5, 4}), bias = ones({5});
    kernels::Backend& backend = device.backend();
    Record record;
    ASSERT_EQ(backend.set_observer(&record), nullptr);
    const Variable y = linear(x, weight, bias, Activation::tanh);
    const Variable total = sum(y);
    EXPECT_EQ(backend.set_observer(nullptr), &record);
    EXPECT_NEAR(sum(y).value().item(), 15 * std::tanh(5.0), 1e-5);  // not recorded
    ASSERT_EQ(record.calls.size(), 2u) << device.text();
    EXPECT_EQ(record.calls[0].name, std::string("gemm"));
    EXPECT_EQ(record.calls[0].bytes, 4 * (3 * 4 + 5 * 4 + 3 * 5 + 5));
    EXPECT_EQ(record.calls[0].flops, 2 * 3 * 4 * 5);
    EXPECT_EQ(record.calls[1].name, std::string("reduce"));
    EXPECT_EQ(record.calls[1].bytes, 4 * (3 * 5 + 1));
    EXPECT_EQ(record.calls[1].flops, 0);
  }
}

}  // namespace
}  // namespace gpuvae
