// Tests captured CUDA graphs: custom training steps, the memory of graphs, and the features of kernels and
// autograd that graphs require.
#include "gpuvae/graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "gpuvae/error.h"
#include "gpuvae/memory.h"
#include "gpuvae/ops.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/executor.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::expect_start;
using test::message_of;

class Graphs : public testing::Test {
 protected:
  void SetUp() override {
    if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  }
};
using GraphsOnDevice = Graphs;  // a suite whose name matches the filter *Device*

// Computes x = 2 x + 1 through a temporary tensor.
void double_and_add(const Tensor& x) { x.copy_from(affine(x, 2, 1).value()); }

TEST_F(GraphsOnDevice, RunABodyRepeatedly) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({3}, DType::f32, stream.device());
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { double_and_add(x); }, 3);
  EXPECT_EQ(graph.nodes(), 6u);  // a kernel and a copy, three times
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 0.0f)) << "nothing runs during the capture";
  graph.launch();
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 7.0f));
  graph.launch();
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 63.0f));
}

TEST_F(Graphs, MemoryOfTheBodyIsReserved) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::full({1000}, 1, DType::f32, cuda);
  Tensor dropped = Tensor::full({1000}, 5, DType::f32, cuda), result;
  {
    const CudaGraph graph = CudaGraph::capture(stream, [&] {
      const Tensor sum = add(affine(x, 3, 0), dropped).value();  // 3 x + 5
      dropped = Tensor();                                        // created outside, released in the body
      result = affine(sum, 1, -1).value();
    });
    std::vector<Tensor> others;
    for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({1000}, i, DType::f32, cuda));
    for (const float value : {1.0f, 10.0f}) {
      x.fill(value);
      graph.launch();
      EXPECT_EQ(result.to_vector(), std::vector<float>(1000, 3 * value + 4));
    }
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(others[i].to_vector(), std::vector<float>(1000, static_cast<float>(i)));
    result = Tensor();
  }
  // All memory is free again, so 22 tensors of the same size need no new memory from the system.
  const MemoryStatistics before = memory_statistics(cuda);
  std::vector<Tensor> again;
  for (int i = 0; i < 22; ++i) again.push_back(Tensor::empty({1000}, DType::f32, cuda));
  EXPECT_EQ(memory_statistics(cuda).system_allocations, before.system_allocations);
}

TEST_F(Graphs, ShareMemoryOnRequest) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({100'000}, DType::f32, cuda);
  const CudaGraph one = CudaGraph::capture(stream, [&] { double_and_add(x); });
  const MemoryStatistics before = memory_statistics(cuda);
  const CudaGraph many = CudaGraph::capture(
      stream, [&] { double_and_add(x); }, 5, &one);
  EXPECT_EQ(memory_statistics(cuda).reserved_bytes, before.reserved_bytes);
  many.launch(), one.launch();
  EXPECT_EQ(x.slice(99'999, 1).item(), 63);
  const Stream other(cuda);
  const StreamGuard there(other);
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     other, [] {}, 1, &one));
               }),
               "[graph] expected sharing to be a graph of the same stream");
}

TEST_F(Graphs, ErrorsNameTheBlockingCall) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard on(stream);
  const Tensor x = Tensor::full({1}, 2, DType::f32, cuda);
  const float number[] = {1};
  const std::pair<const char*, std::function<void()>> calls[] = {
      {"[item] ", [&] { static_cast<void>(x.item()); }},
      {"[to_vector] ", [&] { static_cast<void>(x.to_vector()); }},
      {"[to] ", [&] { static_cast<void>(x.to(Device::cpu())); }},
      {"[from] ", [&] { static_cast<void>(Tensor::from(number, {1}, cuda)); }},
      {"[copy_from] ", [&] { x.copy_from(Tensor::zeros({1})); }},
      {"[synchronize] ", [&] { stream.synchronize(); }},
      {"[copy_from_device] ",
       [&] { cuda.backend().copy_from_device(nullptr, x.data(), 4, stream.handle()); }},
  };
  for (const auto& [name, call] : calls) {
    expect_start(message_of([&, &body = call] { static_cast<void>(CudaGraph::capture(stream, body)); }),
                 name);
    const CudaGraph graph =
        CudaGraph::capture(stream, [&] { double_and_add(x); });  // the stream can still capture
    graph.launch();
  }
  EXPECT_EQ(x.item(), (2 + 1) * 128 - 1);
}

TEST_F(Graphs, PropagateExceptionsOfTheBody) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  const Tensor x = Tensor::zeros({3}, DType::f32, stream.device());
  const auto body = [&] {
    double_and_add(x);
    throw std::out_of_range("mine");
  };
  EXPECT_THROW(static_cast<void>(CudaGraph::capture(stream, body)), std::out_of_range);
  double_and_add(x);
  EXPECT_EQ(x.to_vector(), std::vector<float>(3, 1.0f));
}

TEST_F(Graphs, MisuseIsReported) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda), other(cuda);
  const StreamGuard on(stream);
  expect_start(message_of([&] { static_cast<void>(CudaGraph::capture(Stream::wrap(cuda, nullptr), [] {})); }),
               "[graph] expected a stream other than the default one, got the device's default stream");
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     stream, [&] { static_cast<void>(CudaGraph::capture(other, [] {})); }));
               }),
               "[graph] expected no capture inside another capture");
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(
                     stream, [] {}, 0));
               }),
               "[graph] expected 1 or more repeats");
  const CudaGraph graph = CudaGraph::capture(stream, [] {});
  EXPECT_EQ(graph.nodes(), 0u);
  const StreamGuard elsewhere(other);
  EXPECT_EQ(message_of([&] { graph.launch(); }),
            "[graph] expected the captured stream to be current at a launch, got another stream");
  // The first product of a shape selects a cuBLASLt algorithm, which is not possible during a capture.
  const Tensor a = Tensor::zeros({37, 41}, DType::f32, cuda), b = Tensor::zeros({43, 41}, DType::f32, cuda);
  expect_start(message_of([&] {
                 static_cast<void>(CudaGraph::capture(other, [&] { static_cast<void>(linear(a, b, {})); }));
               }),
               "[gemm] expected the first product of m 37, n 43, k 41 before a graph is captured");
  static_cast<void>(linear(a, b, {}));
  EXPECT_GT(CudaGraph::capture(other, [&] { static_cast<void>(linear(a, b, {})); }).nodes(), 0u);
}

TEST(GraphOnTheCpu, IsAnError) {
  EXPECT_EQ(message_of([] { static_cast<void>(CudaGraph::capture(Stream::current(Device::cpu()), [] {})); }),
            "[graph] expected a CUDA device, got cpu");
  EXPECT_EQ(message_of([] { Device::cpu().backend().begin_capture(nullptr); }),
            "[graph] expected a CUDA device, got cpu");
}

// A custom training step of a denoiser. It uses shuffled batches, new noise in every step, and Adam, whose
// bias correction depends on the number of the update.
struct OwnStep {
  static constexpr std::uint64_t kStepsPerEpoch = 5;
  explicit OwnStep(Device device)
      : images(Tensor::from(bytes(), {20, 12}, device)), layer("own", 12, 12, Activation::tanh, {}, device) {
    std::vector<Parameter> parameters;
    layer.collect(parameters);
    optimizer = std::make_unique<Optimizer>(parameters, OptimizerOptions{.learning_rate = 0.01});
  }
  static std::vector<std::uint8_t> bytes() {
    std::vector<std::uint8_t> all;
    for (int i = 0; i < 20 * 12; ++i) all.push_back(static_cast<std::uint8_t>(i * 37));
    return all;
  }
  void operator()() {
    const Clock clock = optimizer->clock(kStepsPerEpoch);
    const Batch batch = gather_batch(images, 4, clock, {});
    const Noise noise{.seed = 3, .clock = clock, .samples = batch.samples};
    const Tensor noisy =
        add(batch.x, random_normal({4, 12}, noise, 0, 0.1, DType::f32, images.device())).value();
    optimizer->zero_grad();
    sum(square(subtract(layer(noisy), batch.x))).backward();
    optimizer->step();
  }
  std::vector<float> weights() const { return layer.weight.value().to_vector(); }

  Tensor images;
  Linear layer;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_F(Graphs, ACapturedCustomStepContinuesTheStepCount) {
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  OwnStep eager(stream.device()), captured(stream.device());
  captured();
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { captured(); }, 4);
  EXPECT_EQ(captured.optimizer->steps(), 1u);
  for (int i = 0; i < 3; ++i) graph.launch();
  captured();
  for (int i = 0; i < 14; ++i) eager();
  EXPECT_EQ(captured.optimizer->steps(), 14u);
  EXPECT_EQ(captured.weights(), eager.weights());
  // After a return to an earlier state, both must compute the same updates again.
  for (OwnStep* step : {&eager, &captured})
    step->optimizer->restore(2, step->optimizer->state1().clone(), step->optimizer->state2().clone());
  EXPECT_EQ(captured.optimizer->steps(), 2u);
  for (int i = 0; i < 4; ++i) eager();
  graph.launch();
  EXPECT_EQ(captured.optimizer->steps(), 6u);
  EXPECT_EQ(captured.weights(), eager.weights());
}

// ---- features of kernels and autograd that graphs require, on every device ----

TEST(GraphParts, DeviceCountersAdvanceAndDriveTheWarmUp) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    kernels::Backend& backend = device.backend();
    const auto stream = Stream::current(device).handle();
    const Tensor counter = Tensor::from(std::vector<std::uint8_t>(8), {8}, device);
    auto* step = static_cast<std::uint64_t*>(counter.data());
    const Tensor weight = Tensor::empty({1}, DType::f32, device);
    const auto weight_now = [&] {
      backend.ramp({DType::f32, 3, 8, {.step = 1, .device_step = step}, weight.data()}, stream);
      return weight.item();
    };
    EXPECT_EQ(weight_now(), 3 / 8.0);
    backend.advance({step, 2}, stream);
    EXPECT_EQ(weight_now(), 9 / 8.0);
    kernels::MetricsArgs nothing;
    nothing.advance = step;
    const Tensor totals = Tensor::zeros({8}, DType::f32, device);
    nothing.totals = static_cast<double*>(totals.data());
    nothing.bad_step = static_cast<std::uint64_t*>(totals.data()) + 2;
    backend.accumulate_metrics(nothing, stream);
    EXPECT_EQ(weight_now(), 12 / 8.0);
    backend.advance({step, 100}, stream);
    EXPECT_EQ(weight_now(), 3);
  }
}

TEST(GraphParts, RootsMayHaveWeightsOnTheDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Variable x(Tensor::from(std::vector<float>{1, -2}, {2}, device), true);
    const Variable scalar(Tensor::full({1}, 4, DType::f32, device), true);
    const Tensor weight = Tensor::full({1}, 0.5, DType::f32, device);
    const autograd::Root roots[] = {{sum(square(x)), 3, weight}, {scalar, 2, weight}, {sum(x), -1, {}}};
    autograd::backward(roots);
    EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{2, -7}));  // 3 * 0.5 * 2 x - 1
    EXPECT_EQ(scalar.grad().item(), 1);
    const autograd::Root wrong{sum(x), 1, Tensor::zeros({2}, DType::f32, device)};
    expect_start(message_of([&] {
                   autograd::backward({&wrong, 1});
                 }),
                 "[backward] expected a device_weight of one element like");
  }
}

TEST(GraphParts, LongRunsUseFiftyToAHundredStepsPerLaunch) {
  const std::pair<std::uint64_t, std::uint64_t> expected[] = {{0, 1},     {1, 1},    {37, 37},  {100, 100},
                                                              {101, 100}, {120, 60}, {468, 78}, {540, 90},
                                                              {600, 100}, {1965, 98}};
  for (const auto& [steps, together] : expected) EXPECT_EQ(steps_a_launch(steps), together) << steps;
}

}  // namespace
}  // namespace gpuvae
