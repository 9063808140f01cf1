// Tests events, streams that wait for each other, and views that keep the owner of their memory alive.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "gpuvae/graph.h"
#include "gpuvae/ops.h"

namespace gpuvae {
namespace {

TEST(StreamsOnDevice, AStreamWaitsForTheWorkOfAnother) {
  const Device device = Device::best();
  const Stream first(device), second(device);
  const Tensor x = Tensor::zeros({1 << 14}, DType::f32, device);
  Stream::current(device).synchronize();
  for (int round = 1; round <= 3; ++round) {
    {
      const StreamGuard on(first);
      x.fill(round);
    }
    second.wait(first.record());
    Tensor doubled;
    {
      const StreamGuard on(second);
      doubled = (2 * Variable(x)).value();
    }
    const Event done = second.record(), copy = done;
    first.wait(copy);
    done.synchronize();
    const StreamGuard on(second);
    EXPECT_EQ(doubled.slice((1 << 14) - 1, 1).item(), 2 * round);
  }
}

TEST(StreamsOnDevice, EventsMeasureTime) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Stream stream = Stream::current(device);
    const Event start = stream.record();
    const Tensor x = Tensor::zeros({1 << 14}, DType::f32, device);
    if (device.is_cpu()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const Event end = stream.record();
    EXPECT_EQ(start.device(), device);
    const double milliseconds = end.milliseconds_since(start);
    EXPECT_TRUE(milliseconds >= (device.is_cpu() ? 2 : 0) && milliseconds < 60'000) << milliseconds;
  }
}

TEST(StreamsOnDevice, TheCpuWaitsForCudaAndCudaForTheCpu) {
  const Device device = Device::best();
  const Stream cpu = Stream::current(Device::cpu()), stream(device);
  const Tensor x = Tensor::full({8}, 5, DType::f32, device);
  stream.wait(Stream::current(device).record());
  cpu.wait(stream.record());
  stream.wait(cpu.record());
  if (device.is_cpu()) return;
  EXPECT_THROW(static_cast<void>(stream.record().milliseconds_since(cpu.record())), Error);
}

TEST(GraphStreams, ACaptureRefusesToWaitForEvents) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Stream stream(Device::cuda());
  const Event before = stream.record();
  const auto refused = [&](const auto& call, const std::string& name) {
    try {
      static_cast<void>(CudaGraph::capture(stream, call));
      ADD_FAILURE() << "captured " << name;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("[" + name + "] ", 0), 0u) << error.what();
    }
  };
  refused([&] { before.synchronize(); }, "synchronize");
  refused([&] { static_cast<void>(before.milliseconds_since(before)); }, "milliseconds_since");
}

// Memory that the library does not own, with a deleter that counts its calls.
struct Foreign {
  explicit Foreign(Device device) : memory(Tensor::full({6}, 3, DType::f32, device)) {}
  Tensor view() {
    const std::shared_ptr<void> owner(memory.data(), [this](void* pointer) {
      EXPECT_EQ(pointer, memory.data());
      ++released;
    });
    return Tensor::view(memory.data(), {6}, DType::f32, memory.device(), owner);
  }
  Tensor memory;
  int released = 0;
};

TEST(ViewsOnDevice, TheOwnerIsReleasedOnceAfterTheLastTensor) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    Foreign foreign(device);
    Tensor whole = foreign.view(), part = whole.slice(2, 2).reshape({1, 2});
    whole = Tensor();
    EXPECT_EQ(foreign.released, 0);
    {
      const Variable x(part, true), y = sum(square(x));
      part = Tensor();
      EXPECT_EQ(foreign.released, 0);
      EXPECT_FALSE(x.value().is_sole_owner());  // foreign memory is never used as scratch memory
      y.backward();
      EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{6, 6}));
      EXPECT_EQ(foreign.released, 0);
    }
    EXPECT_EQ(foreign.released, 1);
    static_cast<void>(foreign.view());
    EXPECT_EQ(foreign.released, 2);
  }
}

TEST(ViewsOnDevice, WorkIsQueuedBeforeTheOwnerIsReleased) {
  const Device device = Device::best();
  Foreign foreign(device);
  Tensor tripled;
  {
    const Variable x = foreign.view();
    tripled = (3 * x).value();
  }
  EXPECT_EQ(foreign.released, 1);
  foreign.memory.fill(0);  // runs after the product, because it is on the same stream
  EXPECT_EQ(tripled.to_vector(), std::vector<float>(6, 9));
}

TEST(GraphStreams, AGraphKeepsTheOwnersOfItsViews) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  Foreign foreign(stream.device());
  const Tensor out = Tensor::zeros({6}, DType::f32, stream.device());
  {
    const CudaGraph graph =
        CudaGraph::capture(stream, [&] { out.copy_from((2 * Variable(foreign.view())).value()); });
    EXPECT_EQ(foreign.released, 0);
    graph.launch();
    EXPECT_EQ(out.to_vector(), std::vector<float>(6, 6));
  }
  EXPECT_EQ(foreign.released, 1);
}

}  // namespace
}  // namespace gpuvae
