// Bugs planted in kernels, each found by the build that should find it; its correct twin passes in all.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "checker_kernels.h"
#include "checker_support.h"

namespace {

std::vector<float> reversed(std::vector<float> values) {
  std::reverse(values.begin(), values.end());
  return values;
}

TEST(Checker, GlobalOffByOne) {
  const auto values = counting(100);
  const DeviceArray<float> in(values), out(100);
  EXPECT_EQ(complaint([&] { return copy(in.get(), out.get(), 100, Bug::none); }), "");
  EXPECT_EQ(out.values(), values);
  const auto planted = [&] { return copy(in.get(), out.get(), 100, Bug::planted); };
  if (kAsan)
    EXPECT_DEATH(complaint(planted), "heap-buffer-overflow");
  else
    EXPECT_MENTIONS(complaint(planted),
                    kRace ? "past an array" : "wrote behind the end of an allocation of 400 bytes");
}

TEST(Checker, StaticSharedOffByOne) {
  const auto values = counting(kReversed);
  const DeviceArray<float> in(values), out(kReversed);
  EXPECT_EQ(complaint([&] { return stage_static(in.get(), out.get(), Bug::none); }), "");
  EXPECT_EQ(out.values(), reversed(values));
  const auto planted = [&] { return stage_static(in.get(), out.get(), Bug::planted); };
  if (kAsan)
    EXPECT_DEATH(complaint(planted), "index 64 out of bounds for type 'float \\[64\\]'");
  else
    EXPECT_TRUE(!complaint(planted).empty() || out.values() != reversed(values));
}

TEST(Checker, DynamicSharedOffByOne) {
  const auto values = counting(kReversed);
  const DeviceArray<float> in(values), out(kReversed);
  EXPECT_EQ(complaint([&] { return stage_dynamic(in.get(), out.get(), Bug::none); }), "");
  EXPECT_EQ(out.values(), reversed(values));
  const auto planted = [&] { return stage_dynamic(in.get(), out.get(), Bug::planted); };
  if (kAsan) {
    EXPECT_DEATH(complaint(planted), "heap-buffer-overflow");
  }
  if (kRace) {
    EXPECT_MENTIONS(complaint(planted), "past an array");
  }
}

TEST(Checker, MisalignedVectorLoad) {
  const auto values = counting(64);
  const DeviceArray<float> x(values);
  EXPECT_EQ(complaint([&] { return scale_by_four(x.get(), 15, Bug::none); }), "");
  EXPECT_EQ(x.values()[59], 240.0f);
  EXPECT_EQ(x.values()[60], 61.0f);
  if (kAsan) {
    EXPECT_DEATH(complaint([&] { return scale_by_four(x.get(), 15, Bug::planted); }), "misaligned address");
  }
}

TEST(Checker, MissingSyncthreads) {
  const auto values = counting(kReversed);
  const DeviceArray<float> in(values), out(kReversed);
  EXPECT_EQ(complaint([&] { return reverse(in.get(), out.get(), Bug::none); }), "");
  EXPECT_EQ(out.values(), reversed(values));
  const std::string found = complaint([&] { return reverse(in.get(), out.get(), Bug::planted); });
  if (kRace) {
    EXPECT_MENTIONS(found, "race on shared memory");
    EXPECT_MENTIONS(found, "checker_kernels.cu:");
  } else {
    EXPECT_EQ(found, "");
    EXPECT_NE(out.values(), reversed(values));
  }
}

TEST(Checker, MissingSyncwarp) {
  const auto values = counting(kReversedInWarp);
  const DeviceArray<float> in(values), out(kReversedInWarp);
  EXPECT_EQ(complaint([&] { return reverse_in_warp(in.get(), out.get(), Bug::none); }), "");
  EXPECT_EQ(out.values(), reversed(values));
  const std::string found = complaint([&] { return reverse_in_warp(in.get(), out.get(), Bug::planted); });
  if (kRace)
    EXPECT_MENTIONS(found, "race on shared memory");
  else
    EXPECT_NE(out.values(), reversed(values));
}

TEST(Checker, MissingFenceInLastBlockDone) {
  const int n = 1000;
  const DeviceArray<float> in(counting(n)), partial(kSumBlocks), out(1);
  const DeviceArray<unsigned> ticket(std::vector<unsigned>(1));
  const auto run = [&](Bug bug) {
    return complaint([&] { return sum(in.get(), partial.get(), ticket.get(), out.get(), n, bug); });
  };
  EXPECT_EQ(run(Bug::none), "");
  EXPECT_EQ(out.values()[0], 500500.0f);
  const std::string found = run(Bug::planted);
  if (kRace)
    EXPECT_MENTIONS(found, "race on global memory");
  else
    EXPECT_EQ(found, "");  // blocks run one after another: the value cannot show it
}

TEST(Checker, PlainAddInsteadOfAtomic) {
  const DeviceArray<float> in(counting(1000));
  const DeviceArray<int> count(std::vector<int>(1));
  const auto run = [&](Bug bug) {
    return complaint([&] { return count_below(in.get(), count.get(), 1000, 250.5f, bug); });
  };
  EXPECT_EQ(run(Bug::none), "");
  EXPECT_EQ(count.values()[0], 250);
  const std::string found = run(Bug::planted);
  if (kRace) {
    EXPECT_MENTIONS(found, "race on global memory");
  }
}

TEST(Checker, BarrierThatSomeThreadsNeverReach) {
  const DeviceArray<float> out(64);
  EXPECT_EQ(complaint([&] { return half_at_barrier(out.get(), Bug::none); }), "");
  const std::string found = complaint([&] { return half_at_barrier(out.get(), Bug::planted); });
  EXPECT_MENTIONS(found, "deadlock in block (0,0,0)");
  EXPECT_MENTIONS(found, "32 threads (32, ...) have exited");
  EXPECT_MENTIONS(found, "32 threads (0, ...) wait in __syncthreads at");
  EXPECT_MENTIONS(found, "checker_kernels.cu:");
}

TEST(Checker, LaneLeavesBeforeAShuffleThatNamesIt) {
  const DeviceArray<float> in(counting(20)), out(1);
  EXPECT_EQ(complaint([&] { return sum_of_warp(in.get(), out.get(), 20, Bug::none); }), "");
  EXPECT_EQ(out.values()[0], 210.0f);
  const std::string found = complaint([&] { return sum_of_warp(in.get(), out.get(), 20, Bug::planted); });
  // Whether a lane has left already or leaves later depends on the order of the threads.
  EXPECT_TRUE(mentions(found, "names lanes that do not exist or have exited") || mentions(found, "deadlock"))
      << found;
  EXPECT_MENTIONS(found, "__shfl_xor_sync");
}

TEST(Checker, MissingGridSync) {
  const int n = 1000, blocks = 3;
  const DeviceArray<float> in(counting(n)), partial(blocks), out(blocks);
  const auto run = [&](Bug bug) {
    return complaint([&] { return total_in_grid(in.get(), partial.get(), out.get(), n, blocks, bug); });
  };
  EXPECT_EQ(run(Bug::none), "");
  EXPECT_EQ(out.values(), std::vector<float>(blocks, 500500.0f));
  EXPECT_EQ(cudaMemset(partial.get(), 0, blocks * sizeof(float)), cudaSuccess);
  const std::string found = run(Bug::planted);
  if (kRace)
    EXPECT_MENTIONS(found, "race on global memory");
  else
    EXPECT_NE(out.values(), std::vector<float>(blocks, 500500.0f));
}

TEST(Checker, SpinLoop) {
  const DeviceArray<unsigned> flag(std::vector<unsigned>(1));
  EXPECT_EQ(complaint([&] { return wait_for_flag(flag.get(), Bug::none); }), "");
  EXPECT_EQ(cudaMemset(flag.get(), 0, sizeof(unsigned)), cudaSuccess);
  EXPECT_MENTIONS(complaint([&] { return wait_for_flag(flag.get(), Bug::planted); }), "livelock");
}

TEST(Checker, KernelTouchesHostMemory) {
  std::vector<float> host = counting(100);
  const DeviceArray<float> out(100);
  const std::string found = complaint([&] { return copy(host.data(), out.get(), 100, Bug::none); });
  if (kRace)
    EXPECT_MENTIONS(found, "load of host memory");
  else
    EXPECT_EQ(found, "");
}

TEST(Checker, HostTouchesDeviceMemory) {
  const DeviceArray<float> x(counting(3));
  if (kAsan) {
    EXPECT_DEATH(std::exit(x.get()[0] == 1.0f), "use-after-poison");
  }
}

TEST(Checker, NothingIsKnownBeforeItIsWritten) {
  const DeviceArray<float> x(10);
  for (const float v : x.values()) EXPECT_TRUE(std::isnan(v));
}

TEST(Checker, WorksAfterAComplaint) {
  const auto values = counting(kReversed);
  const DeviceArray<float> in(values), out(kReversed);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(complaint([&] { return half_at_barrier(out.get(), Bug::planted); }), "");
    EXPECT_EQ(complaint([&] { return reverse(in.get(), out.get(), Bug::none); }), "");
    EXPECT_EQ(out.values(), reversed(values));
  }
}

TEST(Checker, AnyHostThreadMayLaunch) {
  const auto values = counting(kReversed);
  const DeviceArray<float> in(values), out(kReversed);
  std::string found = "not run";
  std::thread([&] { found = complaint([&] { return reverse(in.get(), out.get(), Bug::none); }); }).join();
  EXPECT_EQ(found, "");
  EXPECT_EQ(out.values(), reversed(values));
}

TEST(Checker, Intrinsics) {
  const DeviceArray<float> in(counting(32));
  const DeviceArray<unsigned> counter(std::vector<unsigned>{15});
  const DeviceArray<Intrinsics> out(1);
  EXPECT_EQ(complaint([&] { return intrinsics(in.get(), counter.get(), out.get()); }), "");
  const Intrinsics r = out.values()[0];
  EXPECT_EQ(r.shuffled_double, 2.0);
  EXPECT_EQ(r.shuffled_word, 1ull << 40);
  EXPECT_EQ(r.from_lane_three, 3u);
  EXPECT_EQ(r.high_product, ~0ull - 1);
  EXPECT_EQ(r.ballot, 0xaaaaaaaau);
  EXPECT_EQ(r.any, 1u);
  EXPECT_EQ(r.all, 0u);
  EXPECT_EQ(r.total, 496);
  EXPECT_EQ(r.reversed_bits, 0x80000000u);
  EXPECT_LE(r.ticket, 15u);
  EXPECT_EQ(counter.values()[0], 15u);  // 32 increments modulo 16
  EXPECT_EQ(r.rounded, 2);
  EXPECT_EQ(r.mixed_minimum, 5);
  EXPECT_EQ(r.root, 4.0f);
  EXPECT_EQ(r.quotient, 0.25f);
  EXPECT_EQ(r.inverse_root, 0.5f);
  EXPECT_EQ(r.read, 1.0f);
  EXPECT_EQ(r.parameter, 42.0f);
}

}  // namespace
