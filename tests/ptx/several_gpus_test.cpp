// Tests the choice of the device and of the kernels: the current context, and the architectures for which the
// build has kernels. Each suite needs a separate process with PTX_DEVICES or PTX_TARGETS set, because a
// process examines the devices only once.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "control.h"
#include "gpuvae/data.h"
#include "gpuvae/error.h"
#include "gpuvae/graph.h"
#include "gpuvae/memory.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"

namespace gpuvae {
namespace {

bool is_set(const char* variable, std::string_view value) {
  const char* text = std::getenv(variable);
  return text && text == value;
}

int current_device() {
  int device = -1;
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  return device;
}

// Trains a small model for two epochs, and keeps the loss of the second and the name of the executor.
struct DigitTraining {
  double loss = 0;
  std::string executor;

  DigitTraining(Device device, Executor how) {
    VaeOptions options;
    options.features = 784;
    options.encoder_widths = {8};
    options.latent = 2;
    Vae model(options, device);
    Optimizer optimizer(model.parameters(), OptimizerOptions::defaults(OptimizerKind::adam));
    static const Dataset digits = procedural_mnist().train.slice(0, 40);
    const Dataset images = digits.to(device);
    TrainOptions train;
    train.batch_size = 8;
    train.executor = how;
    Trainer trainer(model, optimizer, images, images.slice(0, 0), train);
    loss = trainer.run_epoch().train.loss;
    loss = trainer.run_epoch().train.loss;
    executor = trainer.executor();
  }
};

class TwoGpus : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_set("PTX_DEVICES", "2")) GTEST_SKIP() << "there is one emulated device";
  }
};

TEST_F(TwoGpus, TheSecondAloneLeavesTheFirstWithoutContext) {
  const Device second = Device::cuda(1);
  EXPECT_TRUE(emulator::has_context(1));
  EXPECT_NE(second.description(), "");
  const double loss = DigitTraining(second, Executor::eager).loss;
  EXPECT_EQ(DigitTraining(second, Executor::graph).loss, loss);
  EXPECT_NEAR(DigitTraining(second, Executor::fused).loss, loss, 1e-3 * loss);
  {
    const Stream stream(second);
    const StreamGuard guard(stream);
    const Tensor x = Tensor::full({1000}, 2, DType::f32, second);
    kernels::Backend& backend = second.backend();
    const kernels::EventHandle begin = backend.record_event(stream.handle());
    EXPECT_EQ(sum(square(x)).value().item(), 4000);
    const kernels::EventHandle end = backend.record_event(stream.handle());
    EXPECT_GE(backend.milliseconds_between(begin, end), 0);
    backend.destroy_event(begin);
    backend.destroy_event(end);
  }
  release_unused_memory(second);
  EXPECT_THROW(second.backend().allocate(std::size_t{1} << 50), Error);
  EXPECT_FALSE(emulator::has_context(0));
  EXPECT_EQ(current_device(), 0);
}

TEST_F(TwoGpus, TheCallersDeviceStaysCurrent) {
  for (const int current : {0, 1}) {
    ASSERT_EQ(cudaSetDevice(current), cudaSuccess);
    for (const int used : {0, 1}) {
      const Device device = Device::cuda(used);
      EXPECT_EQ(Tensor::full({3}, 2, DType::f32, device).to_vector(), (std::vector<float>{2, 2, 2}));
      DigitTraining(device, Executor::graph);
      release_unused_memory(device);
      EXPECT_EQ(current_device(), current);
      EXPECT_THROW(device.backend().allocate(std::size_t{1} << 50), Error);
      EXPECT_EQ(current_device(), current);
    }
  }
}

TEST_F(TwoGpus, StreamsBelongToTheirDevice) {
  const Device first = Device::cuda(0), second = Device::cuda(1);
  const Stream a(first), b(second);
  const StreamGuard on_a(a), on_b(b);
  const Tensor x = random_normal({100}, {.seed = 1}, 0, 1, DType::f32, first);
  const Tensor y = random_normal({100}, {.seed = 1}, 0, 1, DType::f32, second);
  EXPECT_EQ(x.to_vector(), y.to_vector());
}

// ---- PTX_TARGETS=75|80 on a device of compute capability 9.0, or of 7.5 ----

TEST(BuiltForAnotherArchitecture, RunsWithTheAvailableKernels) {
  const bool old = is_set("PTX_TARGETS", "75");
  if (!old && !is_set("PTX_TARGETS", "80")) GTEST_SKIP() << "the build has kernels for this device";
  const Device cuda = Device::cuda();
  const DigitTraining automatic(cuda, Executor::automatic), eager(cuda, Executor::eager);
  EXPECT_NEAR(automatic.loss, eager.loss, 1e-3 * eager.loss);
  EXPECT_LT(automatic.loss, 543) << "784 log 2 is the loss of an untrained model";
  if (!old) {
    EXPECT_EQ(automatic.executor.rfind("fused", 0), 0u) << automatic.executor;
    return;
  }
  const std::string why =
      is_set("PTX_CAPABILITY", "75")
          ? "the GPU has no tensor cores for TF32"
          : "this build's kernels for the GPU were compiled for compute capability 7.5, which has no "
            "tensor cores for TF32";
  EXPECT_EQ(automatic.executor, "graph: 5 steps per launch; not fused: " + why);
  try {
    DigitTraining(cuda, Executor::fused);
    ADD_FAILURE() << "the fused step ran although the build has no kernel for it";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
  }
}

TEST(BuiltForNewerArchitectures, IsReportedWhenTheDeviceIsRequested) {
  if (!is_set("PTX_TARGETS", "90") || !is_set("PTX_CAPABILITY", "80"))
    GTEST_SKIP() << "the build has kernels for this device";
  try {
    static_cast<void>(Device::cuda());
    ADD_FAILURE() << "Device::cuda() returned a device that this build cannot use";
  } catch (const Error& e) {
    const std::string said = e.what();
    EXPECT_NE(
        said.find("GPU 0 (emulated, compute capability 8.0) cannot run this build, whose kernels are for "
                  "compute capability 7.5, 8.0, 9.0: build with -DCMAKE_CUDA_ARCHITECTURES=80"),
        std::string::npos)
        << said;
  }
  EXPECT_THROW(static_cast<void>(Device::parse("auto")), Error);
  EXPECT_FALSE(kernels::cuda_backend(0));
}

}  // namespace
}  // namespace gpuvae
