// Lets the emulated device fail at every kind of call of a training run, as after an illegal access to
// memory. The failure is one Error of kind cuda; destructors neither throw nor crash, and the device can be
// used again.
#include <gtest/gtest.h>

#include <cmath>

#include "control.h"
#include "counters.h"
#include "kernels/backend.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"

namespace gpuvae {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kFindsLeaks = true;
#else
constexpr bool kFindsLeaks = false;
#endif

struct FailingRun {
  explicit FailingRun(Executor executor)
      : model({.features = 16, .encoder_widths = {8}}, Device::cuda()),
        adam(model.parameters()),
        trainer(model, adam, examples(20), examples(5), [=] {
          TrainOptions o{.batch_size = 4};
          o.executor = executor;
          return o;
        }()) {}
  static Dataset examples(std::int64_t count) { return test::example_images(count, Device::cuda()); }
  Vae model;
  Adam adam;
  Trainer trainer;
};

struct Result {
  std::string error;  // empty: none
  ErrorKind kind = ErrorKind::invalid_argument;
};

Result run_two_epochs(Executor executor) {
  Result result;
  try {
    FailingRun run(executor);
    run.trainer.run_epochs(2);
  } catch (const Error& error) {
    result.error = error.what();
    result.kind = error.kind();
  }
  return result;
}

class DeviceFaults : public testing::TestWithParam<Executor> {};

TEST_P(DeviceFaults, EndARunWithOneErrorAtWhateverCall) {
  if (kFindsLeaks) GTEST_SKIP() << "objects of a device that failed cannot be freed";
  if (GetParam() == Executor::fused && !Device::cuda().backend().fused_step_unavailable().empty())
    GTEST_SKIP() << Device::cuda().backend().fused_step_unavailable();
  std::uint64_t calls = 0;
  {
    const emulator::WithSettings counting([](emulator::Settings&) {});
    EXPECT_EQ(run_two_epochs(GetParam()).error, "");
    calls = emulator::counters().calls;
  }
  FailingRun before(GetParam());
  before.trainer.run_epochs(2);
  int with_step = 0;
  for (std::uint64_t call = 1; call < calls; call += calls / 40 + 1) {
    SCOPED_TRACE("call " + std::to_string(call));
    const emulator::WithSettings failing([=](emulator::Settings& s) { s.fault_at_call = call; });
    const Result result = run_two_epochs(GetParam());
    if (result.error.empty()) continue;  // at a call that may fail, such as that of a destructor
    EXPECT_EQ(result.kind, ErrorKind::cuda) << result.error;
    // The trainer's streams are made before the first step, so that their errors name no step.
    if (result.error.starts_with("[train] cuda:0 failed ") && result.error.find("step") != std::string::npos)
      ++with_step;
  }
  EXPECT_GE(with_step, 10);
  FailingRun after(GetParam());
  after.trainer.run_epochs(2);
  // The failures leave other free blocks of memory. Their alignment decides which algorithms cuBLASLt may
  // use, so the last bits may differ.
  const std::vector<float> values = test::weights_of(after.model), expected = test::weights_of(before.model);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-7);
}
INSTANTIATE_TEST_SUITE_P(Emulated, DeviceFaults,
                         testing::Values(Executor::eager, Executor::graph, Executor::fused),
                         [](const auto& i) { return std::string(name(i.param)); });

// A checkpoint that cannot be read from the device leaves the earlier file as it is.
TEST(EmulatedDeviceFaults, LeaveTheCheckpointIntact) {
  if (kFindsLeaks) GTEST_SKIP() << "objects of a device that failed cannot be freed";
  const test::TemporaryFolder folder;
  FailingRun run(Executor::graph), continued(Executor::graph), whole(Executor::graph);
  const auto save = [&] {
    save_checkpoint(folder / "c", run.model.parameters(), run.adam, run.trainer.state());
  };
  run.trainer.run_steps(7);
  save();
  {
    const emulator::WithSettings failing([](emulator::Settings& s) { s.fault_at_call = 30; });
    EXPECT_THROW(run.trainer.run_epochs(10), Error);
    EXPECT_THROW(save(), Error);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"c"});
  continued.trainer.resume(restore_checkpoint(folder / "c", continued.model.parameters(), continued.adam));
  continued.trainer.run_steps(8);
  whole.trainer.run_steps(15);
  EXPECT_EQ(test::weights_of(continued.model), test::weights_of(whole.model));
}

}  // namespace
}  // namespace gpuvae
