// Tests the emulated libcudart: streams, events, graphs, errors and counters.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "counters.h"
#include "test_kernels.h"
#include "test_support.h"

namespace {

struct Stream {
  cudaStream_t handle = nullptr;
  explicit Stream(unsigned flags = cudaStreamNonBlocking) {
    EXPECT_EQ(cudaStreamCreateWithFlags(&handle, flags), cudaSuccess);
  }
  Stream(const Stream&) = delete;
  ~Stream() { EXPECT_EQ(cudaStreamDestroy(handle), cudaSuccess); }
};
struct Event {
  cudaEvent_t handle = nullptr;
  explicit Event(unsigned flags = cudaEventDefault) {
    EXPECT_EQ(cudaEventCreateWithFlags(&handle, flags), cudaSuccess);
  }
  Event(const Event&) = delete;
  ~Event() { EXPECT_EQ(cudaEventDestroy(handle), cudaSuccess); }
};

// Makes streams lazy, so that they run only when the host waits, in the order that `seed` selects.
struct Seeded : emulator::WithSettings {
  explicit Seeded(std::uint64_t seed)
      : WithSettings([=](emulator::Settings& s) {
          s.lazy_streams = true;
          s.kernels.order = ptx::Order::random;
          s.kernels.seed = seed;
        }) {}
};

// The result of an incorrect program: either wrong values or an error of the emulator.
struct Tolerated {
  std::vector<float> values;
  bool failed = false;
};
template <class Action>
Tolerated tolerated(Action action) {
  try {
    return {action(), false};
  } catch (const emulator::Error&) {
    return {{}, true};
  }
}

std::vector<float> through_two_streams(bool waits) {
  const DeviceArray<float> in(counting(50)), between(50), out(50);
  const Stream first, second;
  const Event ready;
  EXPECT_EQ(copy(in.get(), between.get(), 50, first.handle), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(ready.handle, first.handle), cudaSuccess);
  if (waits) {
    EXPECT_EQ(cudaStreamWaitEvent(second.handle, ready.handle, 0), cudaSuccess);
  }
  EXPECT_EQ(copy(between.get(), out.get(), 50, second.handle), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  return out.values();
}

TEST(Cudart, MissingStreamWaitEventIsDetectedInSomeOrder) {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Seeded seeded(seed);
    EXPECT_EQ(through_two_streams(true), counting(50));
    const Tolerated result = tolerated([] { return through_two_streams(false); });
    wrong += result.failed || result.values != counting(50);
  }
  EXPECT_GT(wrong, 0);
}

TEST(Cudart, MissingSynchronisationIsDetected) {
  const Seeded seeded(7);
  const DeviceArray<float> in(counting(8));
  float* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(reinterpret_cast<void**>(&pinned), 8 * sizeof(float)), cudaSuccess);
  std::fill_n(pinned, 8, 0.0f);
  const Stream stream;
  EXPECT_EQ(cudaMemcpyAsync(pinned, in.get(), 8 * sizeof(float), cudaMemcpyDeviceToHost, stream.handle),
            cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(stream.handle), cudaErrorNotReady);
  EXPECT_EQ(pinned[7], 0.0f);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
  EXPECT_EQ(pinned[7], 8.0f);
  EXPECT_EQ(cudaGetLastError(), cudaErrorNotReady);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST(Cudart, LegacyStreamWaitsForBlockingStreams) {
  const Seeded seeded(3);
  const DeviceArray<float> in(counting(50)), out(50);
  const Stream blocking(cudaStreamDefault);
  EXPECT_EQ(copy(in.get(), out.get(), 50, blocking.handle), cudaSuccess);
  EXPECT_EQ(out.values(), counting(50));
}

TEST(Cudart, EventsMeasureTime) {
  const DeviceArray<float> in(counting(1000)), out(1000);
  const Event start, stop;
  float ms = -1.0f;
  EXPECT_EQ(cudaEventRecord(start.handle, nullptr), cudaSuccess);
  EXPECT_EQ(copy(in.get(), out.get(), 1000), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(stop.handle, nullptr), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(stop.handle), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(stop.handle), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&ms, start.handle, stop.handle), cudaSuccess);
  EXPECT_GT(ms, 0.0f);
  const Event untimed(cudaEventDisableTiming);
  EXPECT_EQ(cudaEventElapsedTime(&ms, untimed.handle, stop.handle), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidResourceHandle);
}

TEST(Cudart, GraphIsCapturedOnceAndReplayed) {
  const int n = 640;
  const DeviceArray<float> in(counting(n)), partial(kSumBlocks), out(1);
  const DeviceArray<unsigned> ticket(std::vector<unsigned>(1));
  const Stream stream;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  const emulator::Counters before = emulator::counters();
  ASSERT_EQ(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(out.get(), 0, sizeof(float), stream.handle), cudaSuccess);
  EXPECT_EQ(sum(in.get(), partial.get(), ticket.get(), out.get(), n, stream.handle), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(stream.handle, &graph), cudaSuccess);
  EXPECT_EQ(emulator::counters().kernels_run, before.kernels_run);

  std::size_t nodes = 0;
  EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 2u);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGraphUpload(exec, stream.handle), cudaSuccess);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(cudaGraphLaunch(exec, stream.handle), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
  EXPECT_EQ(out.values()[0], 205120.0f);

  const emulator::Counters after = emulator::counters();
  EXPECT_EQ(after.kernels_run - before.kernels_run, 2u);
  EXPECT_EQ(after.kernel_launches - before.kernel_launches, 0u);
  EXPECT_EQ(after.graph_launches - before.graph_launches, 2u);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
}

TEST(Cudart, CaptureExtendsToStreamsThatWaitForItsEvents) {
  const DeviceArray<float> in(counting(50)), between(50), out(50);
  const Stream first, second;
  const Event fork, join;
  const auto capture = [&](bool joins, cudaGraph_t* graph) {
    EXPECT_EQ(cudaStreamBeginCapture(first.handle, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(copy(in.get(), between.get(), 50, first.handle), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(fork.handle, first.handle), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(second.handle, fork.handle, 0), cudaSuccess);
    EXPECT_EQ(copy(between.get(), out.get(), 50, second.handle), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(join.handle, second.handle), cudaSuccess);
    if (joins) {
      EXPECT_EQ(cudaStreamWaitEvent(first.handle, join.handle, 0), cudaSuccess);
    }
    return cudaStreamEndCapture(first.handle, graph);
  };
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  EXPECT_EQ(capture(false, &graph), cudaErrorStreamCaptureUnjoined);
  ASSERT_EQ(capture(true, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, first.handle), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first.handle), cudaSuccess);
  EXPECT_EQ(out.values(), counting(50));
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureUnjoined);
}

// Returns the result of `call` while a stream captures, and the result of ending the capture.
template <class Call>
std::pair<cudaError_t, cudaError_t> during_capture(cudaStreamCaptureMode mode, Call call) {
  const Stream stream;
  const Event event;
  EXPECT_EQ(cudaStreamBeginCapture(stream.handle, mode), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event.handle, stream.handle), cudaSuccess);
  const cudaError_t answer = call(stream.handle, event.handle);
  cudaGraph_t graph = nullptr;
  const cudaError_t end = cudaStreamEndCapture(stream.handle, &graph);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  cudaGetLastError();
  return {answer, end};
}

TEST(Cudart, CaptureForbidsCallsThatSynchronise) {
  const DeviceArray<float> x(counting(4));
  const auto global = cudaStreamCaptureModeGlobal, relaxed = cudaStreamCaptureModeRelaxed;
  const std::pair unsupported{cudaErrorStreamCaptureUnsupported, cudaErrorStreamCaptureInvalidated};
  const std::pair fine{cudaSuccess, cudaSuccess};
  EXPECT_EQ(during_capture(global, [](auto s, auto) { return cudaStreamSynchronize(s); }), unsupported);
  EXPECT_EQ(during_capture(relaxed, [](auto s, auto) { return cudaStreamSynchronize(s); }), unsupported);
  EXPECT_EQ(during_capture(global, [](auto s, auto) { return cudaStreamQuery(s); }), unsupported);
  EXPECT_EQ(during_capture(global, [](auto, auto e) { return cudaEventSynchronize(e); }), unsupported);
  EXPECT_EQ(during_capture(global, [](auto, auto) { return cudaDeviceSynchronize(); }), unsupported);
  const auto copies = [&](auto, auto) {
    float host = 0.0f;
    return cudaMemcpy(&host, x.get(), sizeof host, cudaMemcpyDeviceToHost);
  };
  EXPECT_EQ(during_capture(global, copies), unsupported);
  const auto allocates = [](auto, auto) {
    void* p = nullptr;
    const cudaError_t answer = cudaMalloc(&p, 16);
    if (answer == cudaSuccess) cudaFree(p);
    return answer;
  };
  EXPECT_EQ(during_capture(global, allocates), unsupported);
  EXPECT_EQ(during_capture(relaxed, allocates), fine);
}

TEST(Cudart, InvalidLaunchesReturnErrors) {
  const auto refused = [](dim3 grid, dim3 block, std::size_t bytes = 0) {
    const cudaError_t answer = launch_of_shape(grid, block, bytes);
    EXPECT_EQ(cudaPeekAtLastError(), answer);
    EXPECT_EQ(cudaGetLastError(), answer);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    return answer;
  };
  EXPECT_EQ(refused(1, 1024), cudaSuccess);
  EXPECT_EQ(refused(1, 1025), cudaErrorInvalidConfiguration);
  EXPECT_EQ(refused(1, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(refused(0, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(refused(dim3(1, 65536), 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(refused(65536, 1), cudaSuccess);
  EXPECT_EQ(refused(1, 32, 50 * 1024), cudaErrorInvalidValue);
  EXPECT_EQ(allow_dynamic_shared(50 * 1024), cudaSuccess);
  EXPECT_EQ(refused(1, 32, 50 * 1024), cudaSuccess);
  EXPECT_EQ(allow_dynamic_shared(300 * 1024), cudaErrorInvalidValue);
  EXPECT_STREQ(cudaGetErrorString(cudaGetLastError()), "invalid argument");
  EXPECT_STREQ(cudaGetErrorName(cudaErrorInvalidConfiguration), "cudaErrorInvalidConfiguration");
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

// The limit is 48 KiB of static and dynamic shared memory, unless a kernel opts in to more.
TEST(Cudart, StaticSharedMemoryCountsAgainstTheLimit) {
  EXPECT_EQ(launch_of_shape(1, 32, 8 * 1024, true), cudaSuccess);
  EXPECT_EQ(launch_of_shape(1, 32, 8 * 1024 + 1, true), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

TEST(Cudart, LaunchBoundsAreEnforced) {
  EXPECT_EQ(launch_bounded(64), cudaSuccess);
  EXPECT_EQ(launch_bounded(65), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchOutOfResources);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST(Cudart, ChevronsLaunchOnTheirStream) {
  const Stream stream;
  const DeviceArray<float> out(32);
  fill_by_chevrons(out.get(), 2.5f, stream.handle);
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaSuccess);
  EXPECT_EQ(out.values(), std::vector<float>(32, 2.5f));
}

TEST(Cudart, LaunchFailsWithoutCodeForTheDevice) {
  ASSERT_EQ(setenv("PTX_TARGETS", "80,90", 1), 0);
  ASSERT_EQ(setenv("PTX_CAPABILITY", "75", 1), 0);
  EXPECT_EQ(launch_of_shape(1, 32, 0), cudaErrorNoKernelImageForDevice);
  ASSERT_EQ(unsetenv("PTX_CAPABILITY"), 0);
  EXPECT_EQ(launch_of_shape(1, 32, 0), cudaSuccess);
  ASSERT_EQ(unsetenv("PTX_TARGETS"), 0);
  EXPECT_EQ(cudaGetLastError(), cudaErrorNoKernelImageForDevice);
}

TEST(Cudart, CopiesAreChecked) {
  const DeviceArray<float> x(counting(6)), y(12);
  std::vector<float> host(12);
  const auto copied = [](void* to, const void* from, std::size_t floats, cudaMemcpyKind kind) {
    return complaint([=] { return cudaMemcpy(to, from, floats * sizeof(float), kind); });
  };
  EXPECT_MENTIONS(copied(host.data(), x.get(), 7, cudaMemcpyDeviceToHost),
                  "only 24 bytes of its allocation are left");
  EXPECT_MENTIONS(copied(host.data(), x.get(), 6, cudaMemcpyHostToDevice), "is not device memory");
  EXPECT_MENTIONS(copied(y.get(), x.get(), 6, cudaMemcpyHostToDevice), "is device memory");
  EXPECT_EQ(copied(host.data(), x.get(), 6, cudaMemcpyDefault), "");
  EXPECT_EQ(host[5], 6.0f);

  EXPECT_EQ(cudaMemset(y.get(), 0, 12 * sizeof(float)), cudaSuccess);
  EXPECT_EQ(cudaMemcpy2DAsync(y.get(), 16, x.get(), 8, 8, 3, cudaMemcpyDeviceToDevice, nullptr), cudaSuccess);
  EXPECT_EQ(y.values(), (std::vector<float>{1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0}));
}

TEST(Cudart, ReportsAllocationsAndFreeMemory) {
  const emulator::Counters before = emulator::counters();
  std::size_t free_before = 0, free_now = 0, total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free_before, &total), cudaSuccess);
  void *p = nullptr, *too_much = nullptr;
  EXPECT_EQ(cudaMallocAsync(&p, 1000, nullptr), cudaSuccess);
  EXPECT_EQ(cudaMemGetInfo(&free_now, &total), cudaSuccess);
  EXPECT_EQ(free_before - free_now, 1000u);
  EXPECT_EQ(cudaMalloc(&too_much, total + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  cudaPointerAttributes attributes{};
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, p), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(cudaPointerGetAttributes(&attributes, &before), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
  EXPECT_EQ(cudaFreeAsync(p, nullptr), cudaSuccess);
  EXPECT_EQ(emulator::counters().host_synchronisations, before.host_synchronisations);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const emulator::Counters after = emulator::counters();
  EXPECT_EQ(after.allocations - before.allocations, 1u);
  EXPECT_EQ(after.frees - before.frees, 1u);
  EXPECT_EQ(after.host_synchronisations - before.host_synchronisations, 1u);
}

TEST(Cudart, NullPointersAndInvalidHandlesAreRefused) {
  EXPECT_EQ(cudaMalloc(static_cast<void**>(nullptr), 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaEventCreate(nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamCreate(nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaLaunchHostFunc(nullptr, nullptr, nullptr), cudaErrorInvalidValue);
  float ms = 0;
  EXPECT_EQ(cudaEventSynchronize(nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventQuery(nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventDestroy(nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventElapsedTime(&ms, nullptr, nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(cudaStreamLegacy), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(cudaStreamPerThread), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidResourceHandle);

  const DeviceArray<float> x(counting(4));
#ifndef __SANITIZE_ADDRESS__  // UBSan stops at the invalid enumerator
  float value = 0;
  EXPECT_EQ(cudaMemcpy(&value, &ms, 4, static_cast<cudaMemcpyKind>(9)), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidMemcpyDirection);
#endif
  EXPECT_MENTIONS(complaint([&] { return cudaMemcpy(x.get(), nullptr, 4, cudaMemcpyHostToDevice); }),
                  "the source is a null pointer");
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_MENTIONS(complaint([&] { return cudaMemsetAsync(x.get(), 0, 4, stream); }),
                  "is not a stream, or was destroyed");
}

TEST(Cudart, ReportsDeviceProperties) {
  cudaDeviceProp properties{};
  int count = 0, multiprocessors = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  ASSERT_EQ(setenv("PTX_SMS", "5", 1), 0);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);
  EXPECT_STREQ(properties.name, "emulated");
  EXPECT_EQ(properties.multiProcessorCount, 5);
  EXPECT_EQ(multiprocessors, 5);
  ASSERT_EQ(unsetenv("PTX_SMS"), 0);
  EXPECT_EQ(10 * properties.major + properties.minor, 90);
  ASSERT_EQ(setenv("PTX_CAPABILITY", "75", 1), 0);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(10 * properties.major + properties.minor, 75);
  ASSERT_EQ(unsetenv("PTX_CAPABILITY"), 0);
}

TEST(Cudart, CallsFailOnAMachineWithoutADevice) {
  int count = -1;
  void* p = nullptr;
  ASSERT_EQ(setenv("PTX_NO_DEVICE", "1", 1), 0);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(cudaMalloc(&p, 16), cudaErrorNoDevice);
  ASSERT_EQ(setenv("PTX_NO_DEVICE", "driver", 1), 0);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  ASSERT_EQ(unsetenv("PTX_NO_DEVICE"), 0);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
}

}  // namespace
