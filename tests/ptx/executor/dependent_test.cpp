// Tests programmatic dependent launches. The executor starts a dependent grid as early as CUDA allows, and
// only griddepcontrol.wait orders the accesses of this grid after those of its predecessor.
#include "machine_test.h"

namespace ptx {
namespace {

// Values for the argument `steps` of the kernel `link` in order_kernels.cu, which executes the decimal digits
// from the last to the first. Each name lists the steps in the order of execution.
constexpr int kWaitTriggerCompute = 321, kTriggerWaitCompute = 312, kWaitComputeTrigger = 231,
              kTriggerCompute = 32, kCompute = 3;

class DependentTest : public MachineTest {
 protected:
  DependentTest() : MachineTest("order_kernels") {
    for (const char* name : {"x0", "x1", "x2", "x3", "x4"}) x_.push_back(memory.allocate<float>(32, name));
    for (int i = 0; i < 32; ++i) x_[0][i] = 10;
    memory.mark_written(x_[0], 128);
  }

  // Computes x[k + 1] = x[k] + 1 for each link. All launches but the first are programmatic.
  std::string run_chain(const std::vector<int>& steps) {
    std::vector<Launch> launches;
    for (std::size_t k = 0; k < steps.size(); ++k)
      launches.push_back(link(x_[k], x_[k + 1], steps[k], k > 0));
    return run_all(launches);
  }
  Launch link(float* in, float* out, int steps, bool programmatic) {
    const void* arguments[] = {&in, &out, &steps};
    Launch launch = module.prepare(module.kernel("link"), {1}, {32}, 0, arguments);
    launch.programmatic = programmatic;
    return launch;
  }
  std::string run_all(const std::vector<Launch>& launches) {
    return error_of([&] { run(memory, launches, module.options); });
  }

  std::vector<float*> x_;
};

TEST_F(DependentTest, ChainsThatWaitAreCorrectInAllOrders) {
  for (const Options& options : all_orders()) {
    module.options = options;
    EXPECT_EQ(run_chain({kWaitTriggerCompute, kWaitTriggerCompute, kWaitTriggerCompute, kWaitComputeTrigger}),
              "");
    EXPECT_EQ(x_[4][31], 14.0f);
    EXPECT_EQ(run_chain({kTriggerWaitCompute, kTriggerWaitCompute, kTriggerWaitCompute, kWaitTriggerCompute}),
              "");
    EXPECT_EQ(x_[4][0], 14.0f);
    EXPECT_EQ(run_chain({kCompute, kWaitTriggerCompute, kTriggerWaitCompute}), "");
  }
}

TEST_F(DependentTest, MissingWaitIsARace) {
  for (const Options& options : all_orders()) {
    module.options = options;
    module.options.uninitialized = false;
    const std::string error = run_chain({kTriggerCompute, kCompute});
    EXPECT_NE(error.find("griddepcontrol.wait is missing or comes late"), std::string::npos) << error;
  }
  module.options = Options();
  module.options.uninitialized = false;
  // The dependent grid runs first and reads x1. The race is found when the predecessor stores to x1.
  expect_report(
      run_chain({kTriggerCompute, kCompute}),
      {"link",
       "race in global memory at " + hex(x_[1]) +
           ": this store and an earlier access by a grid that runs at the same time (griddepcontrol.wait is "
           "missing or comes late) are not ordered, 0 bytes into 'x1' " +
           range(x_[1], 128),
       "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(DependentTest, EndOfThePredecessorDoesNotReplaceTheWait) {
  const std::string error = run_chain({kCompute, kCompute});
  EXPECT_NE(error.find("griddepcontrol.wait is missing or comes late"), std::string::npos) << error;
}

TEST_F(DependentTest, OrdinaryLaunchesNeedNoWait) {
  EXPECT_EQ(run_all({link(x_[0], x_[1], kTriggerCompute, false), link(x_[1], x_[2], kCompute, false)}), "");
  EXPECT_EQ(x_[2][5], 12.0f);
}

// Grids A, B and C run in a chain. If B triggers before it waits for A, C may run at the same time as A. C
// waits only for B, so it is ordered after A only if B waits for A.
TEST_F(DependentTest, ThirdGridIsOrderedAfterTheFirstOnlyIfTheSecondWaits) {
  const auto chain = [&](int b, int c) {
    return run_all({link(x_[0], x_[1], kTriggerCompute, false), link(x_[3], x_[4], b, true),
                    link(x_[1], x_[2], c, true)});
  };
  memory.mark_written(x_[3], 128);
  memory.mark_written(x_[4], 128);
  for (const Options& options : all_orders()) {
    module.options = options;
    EXPECT_EQ(chain(kTriggerWaitCompute, kWaitTriggerCompute), "");
    EXPECT_EQ(chain(kWaitTriggerCompute, kCompute), "")
        << "C needs no wait, because it starts after B has waited for A";
    const std::string early = chain(kTriggerWaitCompute, kCompute);
    EXPECT_NE(early.find("griddepcontrol.wait is missing or comes late"), std::string::npos) << early;
    const std::string unwaited = chain(kTriggerCompute, kWaitTriggerCompute);
    EXPECT_NE(unwaited.find("a grid that runs at the same time"), std::string::npos) << unwaited;
  }
}

TEST_F(DependentTest, BarrierExtendsTheWaitToOtherThreads) {
  for (const bool barrier : {true, false}) {
    const void* arguments[] = {&x_[1], &x_[2], &barrier};
    Launch dependent = module.prepare(module.kernel("link_of_one"), {1}, {32}, 0, arguments);
    dependent.programmatic = true;
    const std::string error = run_all({link(x_[0], x_[1], kTriggerCompute, false), dependent});
    if (barrier)
      EXPECT_EQ(error, "");
    else
      EXPECT_NE(error.find("griddepcontrol.wait is missing or comes late"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace ptx
