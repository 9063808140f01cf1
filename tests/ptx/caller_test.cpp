// Tests the library inside a program that has its own CUDA stream and its own captures.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gpuvae/cuda.h"
#include "gpuvae/memory.h"
#include "gpuvae/optim.h"
#include "gpuvae/random.h"
#include "kernels/backend.h"
#include "kernels/observer.h"
#include "tests/cases/case.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::expect_start;
using test::message_of;

// A stream that the program creates.
class CallersStream {
 public:
  CallersStream() { EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  ~CallersStream() { EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess); }
  CallersStream(const CallersStream&) = delete;
  CallersStream& operator=(const CallersStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// Collects the streams of all kernels.
class Streams final : public kernels::KernelObserver {
 public:
  void call(const kernels::KernelCall& call, kernels::StreamHandle stream,
            const std::function<void()>& run) override {
    used.insert(stream);
    names.insert(call.name);
    run();
  }
  std::set<kernels::StreamHandle> used;
  std::set<std::string> names;
};

// Runs a case forward and backward on the current stream.
void run_case(const cases::Case& c, Device device) {
  cases::Variables inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i)
    inputs.emplace_back(
        Tensor::from(cases::input_values(c.inputs[i], i), c.inputs[i].shape).to(DType::f32).to(device),
        c.inputs[i].differentiable);
  Variable total;
  for (const Variable& output : c.run(inputs)) total = total ? total + sum(output) : sum(output);
  if (total && total.requires_grad()) total.backward();
}

TEST(CallersDevice, EveryOperationRunsOnTheCallersStream) {
  const Device device = Device::cuda();
  const CallersStream mine;
  Streams streams;
  {
    const Stream stream = wrap_stream(mine.get());
    const StreamGuard on(stream);
    ASSERT_EQ(device.backend().set_observer(&streams), nullptr);
    std::set<std::string> operations;
    for (const cases::Case& c : cases::all_cases()) {
      std::int64_t elements = 0;
      for (const cases::Input& input : c.inputs) elements += input.shape.elements();
      if (elements > 20'000 || !operations.insert(c.operation).second) continue;
      SCOPED_TRACE(c.name);
      run_case(c, device);
    }
    device.backend().set_observer(nullptr);
    EXPECT_GT(operations.size(), 30u);
    stream.synchronize();
  }
  EXPECT_EQ(streams.used, std::set<kernels::StreamHandle>{mine.get()});
  EXPECT_GT(streams.names.size(), 12u);
  release_unused_memory(device);
}

// A capture that the program began itself, in the strictest mode.
class CallersGraph {
 public:
  template <class Body>
  CallersGraph(cudaStream_t stream, const Body& body) : stream_(stream) {
    EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    body();
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    EXPECT_EQ(cudaGraphInstantiate(&executable_, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  }
  ~CallersGraph() { EXPECT_EQ(cudaGraphExecDestroy(executable_), cudaSuccess); }
  CallersGraph(const CallersGraph&) = delete;
  CallersGraph& operator=(const CallersGraph&) = delete;
  void launch() const { EXPECT_EQ(cudaGraphLaunch(executable_, stream_), cudaSuccess); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

// A training step with noise, whose step number the optimiser counts.
struct Step {
  explicit Step(Device device) : layer("l", 6, 4, Activation::tanh, {}, device) {
    x = random_normal({5, 6}, {.seed = 1}, 0, 1, DType::f32, device);
    std::vector<Parameter> parameters;
    layer.collect(parameters);
    optimizer = std::make_unique<Adam>(parameters, AdamOptions{.learning_rate = 0.05});
  }
  void operator()() {
    const Noise noise{.seed = 2, .clock = optimizer->clock()};
    const Tensor noisy = add(x, random_normal({5, 6}, noise, 0, 0.5, DType::f32, x.device())).value();
    optimizer->zero_grad();
    mean(square(layer(noisy) - 1)).backward();
    optimizer->step();
  }
  Tensor x;
  Linear layer;
  std::unique_ptr<Optimizer> optimizer;
};

TEST(CallersDevice, ATrainingStepInTheCallersCaptureGivesTheSameBits) {
  const Device device = Device::cuda();
  const CallersStream mine;
  {
    const Stream stream = wrap_stream(mine.get());
    const StreamGuard on(stream);
    Step eager(device), captured(device);
    captured();
    {
      const CallersGraph graph(mine.get(), [&] { captured(); });
      for (int i = 0; i < 6; ++i) graph.launch();
      EXPECT_EQ(captured.optimizer->steps(), 7u);
    }
    captured();
    for (int i = 0; i < 8; ++i) eager();
    EXPECT_EQ(captured.optimizer->steps(), 8u);
    EXPECT_EQ(captured.layer.weight.value().to_vector(), eager.layer.weight.value().to_vector());
  }
  release_unused_memory(device);
}

TEST(CallersDevice, MemoryOfTheCallersCaptureIsReserved) {
  const Device device = Device::cuda();
  const CallersStream mine;
  {
    const Stream stream = wrap_stream(mine.get());
    const StreamGuard on(stream);
    const Tensor x = Tensor::full({1000}, 1, DType::f32, device);
    Tensor dropped = Tensor::full({1000}, 5, DType::f32, device), result;
    const auto body = [&] {
      const Tensor sum = add(affine(x, 3, 0), dropped).value();  // 3 x + 5
      dropped = Tensor();                                        // created outside, released in the body
      result = affine(sum, 1, -1).value();
    };
    static_cast<void>(affine(affine(x, 3, 0), 1, -1));
    std::vector<Tensor> others;
    {
      const CallersGraph graph(mine.get(), body);
      for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({1000}, i, DType::f32, device));
      for (const float value : {1.0f, 10.0f}) {
        x.fill(value);
        graph.launch();
        EXPECT_EQ(result.to_vector(), std::vector<float>(1000, 3 * value + 4));
      }
      for (int i = 0; i < 20; ++i)
        EXPECT_EQ(others[static_cast<std::size_t>(i)].to_vector(),
                  std::vector<float>(1000, static_cast<float>(i)));
    }
    result = Tensor();
    // The graph is destroyed, so its blocks are free again: two that it allocated, and that of `dropped`.
    const MemoryStatistics before = memory_statistics(device);
    for (int i = 0; i < 3; ++i) others.push_back(Tensor::empty({1000}, DType::f32, device));
    EXPECT_EQ(memory_statistics(device).system_allocations, before.system_allocations);
    others.clear();
  }
  release_unused_memory(device);
}

TEST(CallersDevice, ViewsAndTheirOwnersLiveAsLongAsTheCallersGraph) {
  const Device device = Device::cuda();
  const CallersStream mine;
  bool released = false;
  {
    const Stream stream = wrap_stream(mine.get());
    const StreamGuard on(stream);
    const Tensor memory = Tensor::full({8}, 3, DType::f32, device),
                 out = Tensor::zeros({8}, DType::f32, device);
    {
      const CallersGraph graph(mine.get(), [&] {
        const std::shared_ptr<void> owner(memory.data(), [&](void*) { released = true; });
        out.copy_from((2 * Variable(Tensor::view(memory.data(), {8}, DType::f32, device, owner))).value());
      });
      EXPECT_FALSE(released);
      graph.launch();
      EXPECT_EQ(out.to_vector(), std::vector<float>(8, 6.0f));
    }
    static_cast<void>(Tensor::empty({1}, DType::f32, device));  // destroys the memory of ended graphs
    EXPECT_TRUE(released);
  }
  release_unused_memory(device);
}

TEST(CallersDevice, CallsThatWaitAreErrorsAndLeaveTheCaptureValid) {
  const Device device = Device::cuda();
  const CallersStream mine;
  {
    const Stream stream = wrap_stream(mine.get());
    const StreamGuard on(stream);
    const Tensor x = Tensor::full({1}, 2, DType::f32, device);
    const float number[] = {1};
    const CallersGraph graph(mine.get(), [&] {
      expect_start(message_of([&] { static_cast<void>(x.item()); }), "[item] ");
      expect_start(message_of([&] { static_cast<void>(x.to_vector()); }), "[to_vector] ");
      expect_start(message_of([&] { static_cast<void>(Tensor::from(number, {1}, device)); }), "[from] ");
      expect_start(message_of([&] { stream.synchronize(); }), "[synchronize] ");
      x.copy_from(affine(x, 2, 1).value());
    });
    graph.launch();
    EXPECT_EQ(x.item(), 5);
  }
  release_unused_memory(device);
}

}  // namespace
}  // namespace gpuvae
