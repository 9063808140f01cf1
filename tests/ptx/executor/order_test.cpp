// Tests races, deadlocks and hangs within a grid: correct kernels give the same result in all orders, and
// planted bugs are reported.
#include "machine_test.h"

namespace ptx {
namespace {

class OrderTest : public MachineTest {
 protected:
  OrderTest() : MachineTest("order_kernels") {}

  // Runs the kernel sum_of_blocks on 100 blocks and returns the sum that the last block computes. `fences`
  // holds the kernel's flags.
  float sum_of_blocks(int fences) {
    constexpr unsigned kBlocks = 100;
    float* in = upload_counting(kBlocks, "in");
    float* partial = upload(std::vector<float>(kBlocks), "partial");
    unsigned* ticket = upload(std::vector<unsigned>(1), "ticket");
    float* out = memory.allocate<float>(1, "out");
    partial_ = partial;
    module.launch(memory, "sum_of_blocks", {kBlocks}, {64}, 0, in, partial, ticket, out, fences);
    return *out;
  }
  const float* partial_ = nullptr;
};

TEST_F(OrderTest, MissingBarrier) {
  for (const Options& options : all_orders()) {
    module.options = options;
    float* in = upload_counting(64, "in");
    float* out = memory.allocate<float>(64, "out");
    module.launch(memory, "reverse", {1}, {64}, 0, in, out, true);
    EXPECT_EQ(out[0], 64.0f);
    EXPECT_EQ(out[63], 1.0f);
    const std::string error =
        error_of([&] { module.launch(memory, "reverse", {1}, {64}, 0, in, out, false); });
    // If one warp is ahead of the other, either the load reads unwritten memory or the store comes too late.
    EXPECT_NE(error.find("reverse: "), std::string::npos);
    std::istringstream lines(error);
    std::string line;
    std::getline(lines, line);
    std::getline(lines, line);
    expect_place(line, "reverse");
  }
  module.options = Options();
  module.options.uninitialized = false;
  float* in = upload_counting(64, "in");
  float* out = memory.allocate<float>(64, "out");
  expect_report(
      error_of([&] { module.launch(memory, "reverse", {1}, {64}, 0, in, out, false); }),
      {"reverse",
       "race in shared memory at 0x80: this store and an earlier access by thread (31, 0, 0) are not ordered",
       "(0, 0, 0)", "(32, 0, 0)"});
}

TEST_F(OrderTest, MissingSyncwarp) {
  for (const Options& options : all_orders()) {
    module.options = options;
    float* x = upload_counting(32, "x");
    module.launch(memory, "exchange_in_warp", {1}, {32}, 0, x, ~0u);
    EXPECT_EQ(x[0], 2.0f);
    module.launch(memory, "exchange_in_halves", {1}, {32}, 0, x);
    EXPECT_EQ(x[0], 1.0f);
  }
  module.options = Options();
  float* x = upload_counting(32, "x");
  expect_report(
      error_of([&] { module.launch(memory, "exchange_in_warp", {1}, {32}, 0, x, 0u); }),
      {"exchange_in_warp",
       "race in shared memory at 0x4: this load and an earlier access by thread (1, 0, 0) are not ordered",
       "(0, 0, 0)", "(0, 0, 0)"});
  // A __syncwarp of the lower half orders nothing in the upper half.
  const std::string error =
      error_of([&] { module.launch(memory, "exchange_in_warp", {1}, {32}, 0, x, 0xffffu); });
  EXPECT_NE(error.find("earlier access by thread (17, 0, 0)"), std::string::npos) << error;
}

TEST_F(OrderTest, SyncwarpOrdersReadsBeforeLaterWrites) {
  for (const Options& options : all_orders()) {
    module.options = options;
    float* x = upload_counting(32, "x");
    module.launch(memory, "add_neighbour", {1}, {32}, 0, x, 2, 0xffffu);
    EXPECT_EQ(x[0], 6.0f);
  }
}

TEST_F(OrderTest, TooManyWarpBarriersWithoutABlockBarrierAreReported) {
  float* x = upload(std::vector<float>(32), "x");
  module.launch(memory, "add_neighbour", {1}, {32}, 0, x, 16000, 0xffffu);
  const std::string error =
      error_of([&] { module.launch(memory, "add_neighbour", {1}, {32}, 0, x, 32768, 0xffffu); });
  EXPECT_NE(error.find("more than 65535 warp barriers without a block barrier"), std::string::npos) << error;
}

TEST_F(OrderTest, BytesOfAWordAreCheckedSeparately) {
  for (const Options& options : all_orders()) {
    module.options = options;
    std::uint8_t* x = upload(std::vector<std::uint8_t>(70, 3), "x");
    module.launch(memory, "increment_bytes", {6}, {32}, 0, x, 0);
    EXPECT_EQ(x[0], 4);
    EXPECT_EQ(x[29], 4);
    const std::string error = error_of([&] { module.launch(memory, "increment_bytes", {6}, {32}, 0, x, 1); });
    EXPECT_NE(error.find("increment_bytes: race in global memory"), std::string::npos) << error;
    for (const int from : {0, 1}) {
      const std::string hidden =
          error_of([&] { module.launch(memory, "read_written_byte", {1}, {96}, 0, x, from); });
      EXPECT_NE(hidden.find("read_written_byte: race in global memory"), std::string::npos) << hidden;
    }
    module.launch(memory, "read_written_byte", {1}, {96}, 0, x, 2);
    EXPECT_EQ(x[64], 9);
  }
}

TEST_F(OrderTest, AnAtomicDoesNotOrderOtherAtomics) {
  for (const Options& options : all_orders()) {
    module.options = options;
    for (const unsigned threads : {32u, 96u}) {
      int* out = memory.allocate<int>(1, "out");
      module.launch(memory, "read_own_atomic", {1}, {threads}, 0, out, true);
      EXPECT_EQ(*out, static_cast<int>(threads));
      const std::string error =
          error_of([&] { module.launch(memory, "read_own_atomic", {1}, {threads}, 0, out, false); });
      EXPECT_NE(error.find("read_own_atomic: race in shared memory"), std::string::npos) << error;
    }
    for (const bool fences : {true, false}) {
      int* sum = upload(std::vector<int>(1), "sum");
      unsigned* ticket = upload(std::vector<unsigned>(1), "ticket");
      int* out = memory.allocate<int>(1, "out");
      const std::string error = error_of(
          [&] { module.launch(memory, "read_sum_of_atomics", {5}, {1}, 0, sum, ticket, out, fences); });
      EXPECT_EQ(error.find("read_sum_of_atomics: race in global memory") != std::string::npos, !fences)
          << error;
    }
  }
}

TEST_F(OrderTest, AnOrderedReadDoesNotHideAnUnorderedOne) {
  for (const Options& options : all_orders()) {
    module.options = options;
    int* x = upload(std::vector<int>(1), "x");
    const std::string error = error_of([&] {
      module.launch(memory, "read_behind_flag", {3}, {1}, 0, x, upload(std::vector<unsigned>(1), "flag"),
                    memory.allocate<int>(3, "out"));
    });
    EXPECT_NE(error.find("read_behind_flag: race in global memory"), std::string::npos) << error;
  }
}

TEST_F(OrderTest, ShuffleNamesALaneThatHasExited) {
  float* in = upload_counting(32, "in");
  float* out = memory.allocate<float>(1, "out");
  module.launch(memory, "sum_of_warp", {1}, {32}, 0, in, out, 0);
  EXPECT_EQ(*out, 528.0f);
  expect_report(error_of([&] { module.launch(memory, "sum_of_warp", {1}, {32}, 0, in, out, 12); }),
                {"sum_of_warp", "the instruction waits for lanes 0xffffffff, of which 0xfff00000 have exited",
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(OrderTest, ShuffleReadsALaneOutsideItsMask) {
  float* x = upload_counting(32, "x");
  module.launch(memory, "shuffle_from_outside", {1}, {32}, 0, x, false);
  EXPECT_EQ(x[15], 4.0f);
  expect_report(error_of([&] { module.launch(memory, "shuffle_from_outside", {1}, {32}, 0, x, true); }),
                {"shuffle_from_outside", "the shuffle reads lane 20, which does not take part in it",
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(OrderTest, BarrierThatSomeThreadsNeverReach) {
  float* x = upload_counting(64, "x");
  module.launch(memory, "barrier_of_half", {1}, {64}, 0, x, false);
  expect_report(
      error_of([&] { module.launch(memory, "barrier_of_half", {1}, {64}, 0, x, true); }),
      {"barrier_of_half",
       "deadlock: the block waits at a barrier for threads that have exited, such as thread (32, 0, 0)",
       "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(OrderTest, DifferentBarriersInBranchesAreReported) {
  float* x = upload_counting(64, "x");
  module.launch(memory, "barrier_in_branch", {1}, {64}, 0, x, 64u);
  const std::string lanes =
      error_of([&] { module.launch(memory, "barrier_in_branch", {1}, {64}, 0, x, 16u); });
  EXPECT_NE(lanes.find("deadlock: lanes wait for lanes of their warp that never arrive"), std::string::npos)
      << lanes;
  EXPECT_NE(lanes.find("lanes 0x0000ffff wait for other lanes of the warp at PTX line"), std::string::npos)
      << lanes;
  EXPECT_NE(lanes.find("lanes 0xffff0000 wait for other lanes of the warp at PTX line"), std::string::npos)
      << lanes;
  const std::string warps =
      error_of([&] { module.launch(memory, "barrier_in_branch", {1}, {64}, 0, x, 32u); });
  EXPECT_NE(warps.find("warps of the block wait at different barriers; warp 1 waits at PTX line"),
            std::string::npos)
      << warps;
}

TEST_F(OrderTest, LastBlockNeedsTheFenceBeforeItsTicket) {
  for (const Options& options : all_orders()) {
    module.options = options;
    EXPECT_EQ(sum_of_blocks(3), 5050.0f);
    for (const int fences : {0, 2, 4, 6}) {
      const std::string error = error_of([&] { sum_of_blocks(fences); });
      EXPECT_NE(error.find("sum_of_blocks: race in global memory"), std::string::npos) << fences << error;
    }
  }
  module.options = Options();
  const std::string error = error_of([&] { sum_of_blocks(2); });
  expect_report(
      error, {"sum_of_blocks",
              "race in global memory at " + hex(partial_) +
                  ": this load and an earlier access by block (0, 0, 0), thread (0, 0, 0) are not ordered, "
                  "0 bytes into 'partial' " +
                  range(partial_, 400),
              "(99, 0, 0)", "(0, 0, 0)"});
}

TEST_F(OrderTest, LastBlockNeedsTheFenceAfterItsTicket) {
  const std::string error = error_of([&] { sum_of_blocks(1); });
  EXPECT_NE(error.find("sum_of_blocks: race in global memory"), std::string::npos) << error;
}

// Without the race check, a missing fence leads to a wrong sum: stores of other blocks are not visible yet.
TEST_F(OrderTest, DelayedStoresBecomeVisibleAtAFence) {
  module.options.races = false;
  EXPECT_EQ(sum_of_blocks(2), 5050.0f);
  module.options.delayed_stores = true;
  for (const Order order : {Order::ascending, Order::descending, Order::random}) {
    module.options.order = order;
    EXPECT_EQ(sum_of_blocks(3), 5050.0f);
    EXPECT_NE(sum_of_blocks(2), 5050.0f);
    EXPECT_NE(sum_of_blocks(6), 5050.0f);
  }
}

TEST_F(OrderTest, PlainAddInsteadOfAtomic) {
  for (const Options& options : all_orders()) {
    module.options = options;
    unsigned* count = upload(std::vector<unsigned>(1), "count");
    module.launch(memory, "count_up", {3}, {64}, 0, count, true);
    EXPECT_EQ(*count, 192u);
    EXPECT_NE(error_of([&] {
                module.launch(memory, "count_up", {3}, {64}, 0, count, false);
              }).find("count_up: race in global memory at " + hex(count)),
              std::string::npos);
  }
}

TEST_F(OrderTest, BlocksMayStoreOneValueButNotTwo) {
  for (const Options& options : all_orders()) {
    module.options = options;
    int* x = memory.allocate<int>(1, "x");
    module.launch(memory, "blocks_store", {3}, {1}, 0, x, 0);
    EXPECT_EQ(*x, 5);
    const std::string error = error_of([&] { module.launch(memory, "blocks_store", {3}, {1}, 0, x, 1); });
    EXPECT_NE(error.find("blocks_store: race in global memory at " + hex(x)), std::string::npos) << error;
  }
}

TEST_F(OrderTest, RandomOrdersInterleaveBlocks) {
  module.options.races = false;
  module.options.order = Order::random;
  bool lost = false;
  for (module.options.seed = 1; module.options.seed <= 20 && !lost; ++module.options.seed) {
    unsigned* count = upload(std::vector<unsigned>(1), "count");
    module.launch(memory, "count_up", {8}, {1}, 0, count, false);
    lost = *count < 8;
  }
  EXPECT_TRUE(lost) << "expected some random order to lose a non-atomic increment, got none";
}

TEST_F(OrderTest, SpinningLanesAndWarpsYield) {
  for (const Options& options : all_orders()) {
    module.options = options;
    for (const unsigned setter : {32u, 1u}) {
      unsigned* flag = upload(std::vector<unsigned>(1), "flag");
      module.launch(memory, "wait_for_flag", {1}, {64}, 0, flag, setter);
      EXPECT_EQ(*flag, 1u);
    }
  }
}

TEST_F(OrderTest, HangReportListsAllWaitingLanes) {
  for (const Options& options : all_orders()) {
    module.options = options;
    module.options.watchdog = 100'000;
    unsigned* flag = upload(std::vector<unsigned>(1), "flag");
    const std::string error =
        error_of([&] { module.launch(memory, "wait_for_flag", {1}, {64}, 0, flag, 99u); });
    std::istringstream stream(error);
    std::string first, line;
    std::getline(stream, first);
    std::getline(stream, line);
    EXPECT_EQ(first, "wait_for_flag: hang: not finished after 100000 warp instructions");
    EXPECT_NE(line.find("block (0, 0, 0), warp 0, lanes 0x00000001 run at PTX line"), std::string::npos)
        << error;
    expect_place(line, "wait_for_flag");
  }
}

}  // namespace
}  // namespace ptx
