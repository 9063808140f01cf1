// Tests the whole CUDA backend on the emulated device: streams and memory of the library and of the caller,
// captured and fused steps, random numbers, and a machine without a GPU.
#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>

#include "counters.h"
#include "gpuvae/data.h"
#include "gpuvae/graph.h"
#include "gpuvae/memory.h"
#include "gpuvae/ops.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "src/train/fused_step.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::small_model;

TEST(EmulatedBackend, ForeignStreamsAreUsed) {
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  const Device cuda = Device::cuda();
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3}, cuda);
  Stream::current(cuda).synchronize();
  {
    const StreamGuard guard(Stream::wrap(cuda, stream));
    EXPECT_EQ(Stream::current(cuda).handle(), stream);
    EXPECT_EQ(affine(x, 2, 1).value().to_vector(), (std::vector<float>{3, 5, 7}));
  }
  EXPECT_EQ(Stream::current(cuda).handle(), nullptr);
  release_unused_memory(cuda);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST(EmulatedBackend, OwnStreamsComputeTheSame) {
  const Device cuda = Device::cuda();
  const Stream stream(cuda);
  const StreamGuard guard(stream);
  const Tensor x = random_normal({100, 32}, {.seed = 4}, 0, 1, DType::f32, cuda);
  const Tensor y = random_normal({100, 32}, {.seed = 4});
  EXPECT_NEAR(sum(square(x)).value().item(), sum(square(y)).value().item(), 1e-2);
}

// With PTX_ORDER=random, streams run in a random order, so this test fails if the second stream does not wait
// for the first.
TEST(EmulatedBackend, EventsOrderStreamsAndMeasureTime) {
  const Device cuda = Device::cuda();
  kernels::Backend& backend = cuda.backend();
  const Stream first(cuda), second(cuda);
  const Tensor x = Tensor::empty({1000}, DType::f32, cuda), y = Tensor::empty({1000}, DType::f32, cuda);
  const kernels::EventHandle begin = backend.record_event(first.handle());
  backend.fill({DType::f32, 1000, 3, x.data()}, first.handle());
  const kernels::EventHandle written = backend.record_event(first.handle());
  backend.wait_event(second.handle(), written);
  kernels::AxpbyArgs twice{.size = 1000, .alpha = 2};
  twice.x = x.data();
  twice.y = y.data();
  backend.axpby(twice, second.handle());
  EXPECT_GE(backend.milliseconds_between(begin, written), 0);
  second.synchronize();
  EXPECT_EQ(y.to_vector(), std::vector<float>(1000, 6.0f));
  backend.destroy_event(begin);
  backend.destroy_event(written);
}

TEST(EmulatedBackend, ForeignMemoryIsViewed) {
  const Device cuda = Device::cuda();
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 4 * sizeof(float)), cudaSuccess);
  {
    const Tensor view = Tensor::view(memory, {2, 2}, DType::f32, cuda);
    view.fill(2.5);
    EXPECT_EQ(sum(view).value().item(), 10);
  }
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
}

// One read-back synchronises the host twice: in a blocking copy to pageable memory, and in the wait after it.
constexpr std::uint64_t kOneReadBack = 2;

struct SmallTraining {
  explicit SmallTraining(Executor executor, Device cuda = Device::cuda())
      : model(small_model(), cuda),
        optimizer(model.parameters(), {}),
        images{4, 4, Tensor::from(std::vector<std::uint8_t>(16 * 22, 99), {22, 16}, cuda), {}},
        trainer(model, optimizer, images, images.slice(0, 0), [=] {
          TrainOptions o;
          o.batch_size = 4;
          o.executor = executor;
          return o;
        }()) {}
  Vae model;
  Optimizer optimizer;
  Dataset images;
  Trainer trainer;  // an epoch has 5 full batches and one batch of 2 images
};

TEST(EmulatedBackend, EagerStepsOnlyLaunchKernels) {
  SmallTraining run(Executor::eager);
  run.trainer.run_epoch();
  const emulator::Counters before = emulator::counters();
  run.trainer.run_epoch();
  const emulator::Counters after = emulator::counters();
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.frees, before.frees);
  EXPECT_EQ(after.host_synchronisations - before.host_synchronisations, kOneReadBack)
      << "an epoch reads back only its totals, once";
  EXPECT_GT(after.kernel_launches, before.kernel_launches + 6 * 10);
}

TEST(EmulatedBackend, CapturedStepsOnlyLaunchGraphs) {
  SmallTraining run(Executor::graph);
  run.trainer.run_epoch();  // eager steps first, then single captured steps
  run.trainer.run_epoch();  // captures one graph of five steps and one graph for the partial batch
  const emulator::Counters before = emulator::counters();
  const MemoryStatistics memory_before = memory_statistics(Device::cuda());
  run.trainer.run_epoch();
  const emulator::Counters after = emulator::counters();
  const MemoryStatistics memory_after = memory_statistics(Device::cuda());
  EXPECT_EQ(memory_after.allocations, memory_before.allocations);
  EXPECT_EQ(memory_after.live_bytes, memory_before.live_bytes);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.frees, before.frees);
  EXPECT_EQ(after.host_synchronisations - before.host_synchronisations, kOneReadBack)
      << "an epoch reads back only its totals, once";
  EXPECT_EQ(after.graph_launches - before.graph_launches, 2u);
  EXPECT_EQ(after.kernel_launches, before.kernel_launches);
  EXPECT_GT(after.kernels_run, before.kernels_run + 6 * 10);
}

TEST(EmulatedBackend, GraphsRunOnForeignStreams) {
  cudaStream_t foreign = nullptr;
  ASSERT_EQ(cudaStreamCreate(&foreign), cudaSuccess);
  {
    const Stream stream = Stream::wrap(Device::cuda(), foreign);
    const StreamGuard on(stream);
    const Tensor x = Tensor::full({5}, 3, DType::f32, stream.device());
    const CudaGraph graph = CudaGraph::capture(
        stream, [&] { x.copy_from(affine(x, 2, 0).value()); }, 2);
    graph.launch();
    EXPECT_EQ(x.to_vector(), std::vector<float>(5, 12.0f));
    // Inside the caller's own capture, the backend refuses calls that would wait.
    ASSERT_EQ(cudaStreamBeginCapture(foreign, cudaStreamCaptureModeRelaxed), cudaSuccess);
    EXPECT_THROW(static_cast<void>(x.item()), Error);
    EXPECT_THROW(static_cast<void>(CudaGraph::capture(stream, [] {})), Error);
    cudaGraph_t captured = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(foreign, &captured), cudaSuccess)
        << "a refused call must not invalidate the capture";
    EXPECT_EQ(cudaGraphDestroy(captured), cudaSuccess);
  }
  release_unused_memory(Device::cuda());
  EXPECT_EQ(cudaStreamDestroy(foreign), cudaSuccess);
}

TEST(EmulatedBackend, MemoryOfADestroyedStreamIsReused) {
  const Device cuda = Device::cuda();
  { SmallTraining(Executor::graph).trainer.run_epoch(); }
  const MemoryStatistics before = memory_statistics(cuda);
  { SmallTraining(Executor::graph).trainer.run_epoch(); }
  EXPECT_EQ(memory_statistics(cuda).reserved_bytes, before.reserved_bytes);
  release_unused_memory(cuda);  // does not wait for destroyed streams
}

// A model, its optimiser and its fused step, whose step counter is on the device.
struct FusedRun {
  explicit FusedRun(Device cuda)
      : model(small_model(), cuda),
        optimizer(model.parameters(), {}),
        images{4, 4, Tensor::from(std::vector<std::uint8_t>(16 * 20, 99), {20, 16}, cuda), {}},
        state(Tensor::from(std::vector<std::uint8_t>(sizeof(RunState)), {sizeof(RunState)}, cuda)) {
    train.batch_size = 8;
    step = std::make_unique<FusedStep>(model, optimizer, images, train);
  }
  void enqueue() {
    auto* run = static_cast<RunState*>(state.data());
    const Clock clock{0, step_counter(state), 3};
    step->enqueue({.clock = clock, .updates = clock, .rows = train.batch_size, .state = run});
  }
  std::vector<float> weights() { return model.output().weight.value().to_vector(); }

  Vae model;
  Optimizer optimizer;
  Dataset images;
  Tensor state;
  TrainOptions train;
  std::unique_ptr<FusedStep> step;
};

TEST(EmulatedBackend, FusedStepsAreCapturedAndReplayed) {
  const Device cuda = Device::cuda();
  FusedRun one_by_one(cuda), captured(cuda);
  Stream::current(cuda).synchronize();
  const Stream stream(cuda);
  const StreamGuard guard(stream);
  const auto handle = static_cast<cudaStream_t>(stream.handle());
  const emulator::Counters before = emulator::counters();
  for (int i = 0; i < 6; ++i) one_by_one.enqueue();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(handle, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  for (int i = 0; i < 3; ++i) captured.enqueue();
  ASSERT_EQ(cudaStreamEndCapture(handle, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(cudaGraphLaunch(executable, handle), cudaSuccess);
  const emulator::Counters after = emulator::counters();
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.host_synchronisations, before.host_synchronisations);
  EXPECT_EQ(after.kernel_launches - before.kernel_launches, 6u * 5) << "five kernels per step";
  EXPECT_EQ(captured.weights(), one_by_one.weights());
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST(EmulatedBackend, AnUnsupportedDTypeIsReported) {
  const Device cuda = Device::cuda();
  kernels::UnaryArgs args{.operation = kernels::Unary::exp, .size = std::int64_t{1} << 62};
  try {
    const Tensor x = Tensor::zeros({1}, DType::f64, Device::cpu());
    args.dtype = DType::f64;
    args.x = x.data();
    args.y = x.data();
    cuda.backend().unary(args, nullptr);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("f32"), std::string::npos) << e.what();
  }
}

TEST(EmulatedBackend, NormalsMatchTheCpu) {
  const Noise noise{.seed = 9, .purpose = RandomPurpose::test};
  const std::vector<float> cpu = random_normal({2000, 50}, noise).to_vector();
  const std::vector<float> cuda =
      random_normal({2000, 50}, noise, 0, 1, DType::f32, Device::cuda()).to_vector();
  float largest = 0;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    const float difference = std::abs(cpu[i] - cuda[i]);
    largest = difference <= largest ? largest : difference;  // NaN is kept
  }
  EXPECT_TRUE(largest < 3e-6f) << largest;
  RecordProperty("largest_difference", fmt::format("{:.2e}", largest));
}

// This test needs a separate process with PTX_NO_DEVICE=1 (no device) or PTX_NO_DEVICE=driver (no driver),
// because a process counts the devices only once.
TEST(NoGpu, TheBestDeviceIsTheCpu) {
  const char* why = std::getenv("PTX_NO_DEVICE");
  if (!why) GTEST_SKIP() << "there is an emulated device";
  EXPECT_EQ(kernels::cuda_device_count(), 0);
  EXPECT_TRUE(Device::best().is_cpu());
  const std::string status = kernels::cuda_status();
  EXPECT_NE(status.find(why == std::string("driver") ? "driver" : "no "), std::string::npos) << status;
  try {
    static_cast<void>(Device::cuda());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(status), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace gpuvae
