// Tests the checks of memory accesses: bounds, alignment, state space, freed memory and unwritten memory.
// Correct kernels pass in every order of warps and blocks, and each planted bug is reported with its exact
// location.
#include "machine_test.h"

namespace ptx {
namespace {

class MemoryTest : public MachineTest {
 protected:
  MemoryTest() : MachineTest("memory_kernels") {}
};

TEST_F(MemoryTest, CorrectKernelsPassInAllOrders) {
  for (const Options& options : all_orders()) {
    module.options = options;
    float* in = upload_counting(1000, "in");
    float* out = memory.allocate<float>(1000, "out");
    module.launch(memory, "add_one", {4}, {256}, 0, in, out, 1000);
    EXPECT_EQ(out[999], 1001.0f);
    EXPECT_EQ(out[0], 2.0f);
    module.launch(memory, "dynamic_overrun", {1}, {64}, 64 * sizeof(float), out, 0);
    EXPECT_EQ(out[0], 65.0f);
  }
}

TEST_F(MemoryTest, GlobalOffByOne) {
  float* in = upload_counting(1000, "in");
  float* out = memory.allocate<float>(1001, "out");
  const auto launch = [&](int n) { module.launch(memory, "add_one", {4}, {256}, 0, in, out, n); };
  EXPECT_EQ(error_of([&] { launch(1000); }), "");
  expect_report(error_of([&] { launch(1001); }), {"add_one",
                                                  "4-byte load from global memory at " + hex(in, 4000) +
                                                      ": 0 bytes past the end of 'in' " + range(in, 4000),
                                                  "(3, 0, 0)", "(232, 0, 0)"});
}

TEST_F(MemoryTest, MisalignedAccessIsReported) {
  float* in = upload_counting(128, "in");
  float* out = memory.allocate<float>(128, "out");
  module.launch(memory, "add_one_by_four", {1}, {31}, 0, in, out);
  EXPECT_EQ(out[123], 125.0f);
  float* shifted = in + 1;
  expect_report(error_of([&] { module.launch(memory, "add_one_by_four", {1}, {31}, 0, shifted, out); }),
                {"add_one_by_four",
                 "16-byte load from global memory at " + hex(shifted) + ", which is not aligned to 16 bytes",
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, AccessToFreedMemoryIsReported) {
  float* in = upload_counting(64, "in");
  float* out = memory.allocate<float>(64, "out");
  memory.free(in);
  expect_report(error_of([&] { module.launch(memory, "add_one", {1}, {64}, 0, in, out, 64); }),
                {"add_one",
                 "4-byte load from global memory at " + hex(in) + ": freed memory, 0 bytes into freed 'in' " +
                     range(in, 256),
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, AdoptedMemoryStaysFreedUntilReuse) {
  std::vector<float> host(64, 1.0f);
  float* in = host.data();
  float* out = memory.allocate<float>(64, "out");
  const auto launch = [&] { module.launch(memory, "add_one", {1}, {64}, 0, in, out, 64); };
  memory.adopt(in, 256, "in");
  EXPECT_EQ(error_of(launch), "");
  memory.forget(in);
  EXPECT_NE(error_of(launch).find("freed memory, 0 bytes into freed 'in' " + range(in, 256)),
            std::string::npos);
  memory.adopt(in, 256, "again");
  EXPECT_EQ(error_of(launch), "");
}

TEST_F(MemoryTest, GlobalInstructionWithASharedAddress) {
  float* x = upload_counting(32, "x");
  module.launch(memory, "global_store_to_shared", {1}, {32}, 0, x, false);
  EXPECT_EQ(x[0], 2.0f);
  expect_report(
      error_of([&] { module.launch(memory, "global_store_to_shared", {1}, {32}, 0, x, true); }),
      {"global_store_to_shared",
       "16-byte store to global memory at 0x100000000000000, which is a generic address of shared memory "
       "(offset 0x0)",
       "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, SharedInstructionWithAGlobalAddress) {
  float* x = upload_counting(32, "x");
  expect_report(error_of([&] { module.launch(memory, "shared_store_to_global", {1}, {16}, 0, x); }),
                {"shared_store_to_global",
                 "8-byte store to shared memory at " + hex(x) +
                     ", which is an address of global memory, 0 bytes into 'x' " + range(x, 128),
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, UnwrittenShared) {
  float* x = upload_counting(64, "x");
  module.launch(memory, "unwritten_shared", {1}, {64}, 0, x, 64);
  EXPECT_EQ(x[0], 64.0f);
  expect_report(error_of([&] { module.launch(memory, "unwritten_shared", {1}, {64}, 0, x, 60); }),
                {"unwritten_shared", "4-byte load of shared memory that was never written, at offset 252",
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, UnwrittenGlobal) {
  float* in = memory.allocate<float>(64, "in");
  float* out = memory.allocate<float>(64, "out");
  memory.mark_written(in, 40 * sizeof(float));
  const auto launch = [&](int n) { module.launch(memory, "add_one", {1}, {64}, 0, in, out, n); };
  EXPECT_EQ(error_of([&] { launch(40); }), "");
  expect_report(error_of([&] { launch(41); }), {"add_one",
                                                "4-byte load of global memory that was never written, at " +
                                                    hex(in, 160) + ": 160 bytes into 'in' " + range(in, 256),
                                                "(0, 0, 0)", "(40, 0, 0)"});
  memory.mark_written(in, 256);
  EXPECT_EQ(error_of([&] { launch(64); }), "");
  memory.mark_unwritten(in + 63, 1);
  EXPECT_NE(error_of([&] { launch(64); }).find("252 bytes into 'in'"), std::string::npos);
}

TEST_F(MemoryTest, UnwrittenPaddingOfAVectorLoad) {
  auto* x = memory.allocate<float>(64, "x");
  float* y = memory.allocate<float>(32, "y");
  module.launch(memory, "write_padded", {1}, {32}, 0, x);
  expect_report(error_of([&] { module.launch(memory, "read_padded", {1}, {32}, 0, x, y); }),
                {"read_padded",
                 "8-byte load of global memory that was never written, at " + hex(x, 1) +
                     ": 1 bytes into 'x' " + range(x, 256),
                 "(0, 0, 0)", "(0, 0, 0)"});
  memory.mark_written(x, 256);
  module.launch(memory, "read_padded", {1}, {32}, 0, x, y);
  EXPECT_EQ(y[31], 9.0f);
}

TEST_F(MemoryTest, UnwrittenLocal) {
  int* x = memory.allocate<int>(32, "x");
  module.launch(memory, "unwritten_local", {1}, {32}, 0, x, 16, 3);
  EXPECT_EQ(x[0], 5);  // thread 0 writes i to element 7 i mod 16, and 7 * 5 = 3 modulo 16
  const std::string error = error_of([&] { module.launch(memory, "unwritten_local", {1}, {1}, 0, x, 5, 3); });
  expect_report(
      error, {"unwritten_local", "4-byte load of local memory that the thread has not written, at offset 12",
              "(0, 0, 0)", "(0, 0, 0)"});
  expect_report(
      error_of([&] { module.launch(memory, "unwritten_local", {1}, {1}, 0, x, 16, 16); }),
      {"unwritten_local", "4-byte load from local memory at 0x40, outside the 64 bytes of the thread",
       "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, OverrunOfAStaticSharedArray) {
  float* x = upload_counting(64, "x");
  EXPECT_EQ(error_of([&] { module.launch(memory, "static_overrun", {1}, {64}, 0, x, 0); }), "");
  const std::string error = error_of([&] { module.launch(memory, "static_overrun", {1}, {64}, 0, x, 1); });
  EXPECT_NE(error.find(": 256 bytes into the 256-byte variable "), std::string::npos) << error;
  EXPECT_NE(error.find("thread (63, 0, 0)"), std::string::npos) << error;
  EXPECT_NE(error.find("4-byte store to shared memory at "), std::string::npos) << error;
}

TEST_F(MemoryTest, OverrunOfDynamicSharedMemory) {
  float* x = upload_counting(64, "x");
  expect_report(
      error_of([&] { module.launch(memory, "dynamic_overrun", {1}, {64}, 256, x, 1); }),
      {"dynamic_overrun",
       "4-byte store to shared memory at 0x100, outside the 256 bytes of the block: 256 bytes into the "
       "dynamic variable dynamic_tile",
       "(0, 0, 0)", "(63, 0, 0)"});
}

TEST_F(MemoryTest, ReadOnlyLoadOfWrittenMemory) {
  float* x = upload_counting(32, "x");
  EXPECT_EQ(error_of([&] { module.launch(memory, "read_only_load", {1}, {32}, 0, x, false); }), "");
  expect_report(error_of([&] { module.launch(memory, "read_only_load", {1}, {32}, 0, x, true); }),
                {"read_only_load",
                 "non-coherent load at " + hex(x) +
                     " from memory that this kernel has written: 0 bytes into 'x' " + range(x, 128),
                 "(0, 0, 0)", "(0, 0, 0)"});
}

TEST_F(MemoryTest, VariablesOfTheModuleHaveBounds) {
  int* x = memory.allocate<int>(4, "x");
  module.launch(memory, "read_table", {1}, {4}, 0, x, 0);
  EXPECT_EQ(x[3], 4);
  const std::string error = error_of([&] { module.launch(memory, "read_table", {1}, {4}, 0, x, 1); });
  EXPECT_NE(error.find("0 bytes past the end of 'table'"), std::string::npos) << error;
}

TEST_F(MemoryTest, ArgumentsAndShapesAreChecked) {
  float* x = upload_counting(32, "x");
  EXPECT_EQ(error_of([&] { module.launch(memory, "add_one", {1}, {32}, 0, x, x, 32l); }),
            "add_one: expected argument 2 to have 4 bytes, got 8");
  EXPECT_EQ(
      error_of([&] { module.launch(memory, "add_one", {1}, {1025}, 0, x, x, 32); }),
      "add_one: expected a grid of 1 or more blocks and 1 to 1024 threads per block, got grid size 1 and "
      "block size 1025");
}

TEST_F(MemoryTest, CountsSectorsAndPasses) {
  float* in = upload_counting(1024, "in");
  float* out = memory.allocate<float>(1024, "out");
  const Counters coalesced = module.launch(memory, "add_one", {4}, {256}, 0, in, out, 1000);
  EXPECT_EQ(coalesced.global_load.requests, 32u);
  EXPECT_EQ(coalesced.global_load.bytes, 4000u);
  EXPECT_EQ(coalesced.global_load.transactions, 125u);
  EXPECT_EQ(coalesced.global_load.least, 125u);
  const Counters strided = module.launch(memory, "strided_copy", {1}, {32}, 0, in, out, 8);
  EXPECT_EQ(strided.global_load.transactions, 32u);
  EXPECT_EQ(strided.global_load.least, 4u);
  for (const int row : {33, 32}) {
    const Counters c = module.launch(memory, "transpose", {1}, {32, 8}, 0, in, out, row);
    EXPECT_EQ(c.worst_bank_conflict, row == 33 ? 1u : 32u);
    EXPECT_EQ(c.shared_load.transactions, row == 33 ? 32u : 1024u);
    EXPECT_EQ(c.shared_load.least, 32u);
    EXPECT_EQ(c.barriers, 1u);
    for (int i = 0; i < 1024; ++i) ASSERT_EQ(out[i], in[i % 32 * 32 + i / 32]);
  }
  Counters sum = coalesced;
  sum += strided;
  EXPECT_EQ(sum.launches, 2u);
  EXPECT_EQ(sum.global_load.transactions, 157u);
  EXPECT_NE(json({{"k", sum}})
                .find("\"global_load\": {\"requests\": 33, \"bytes\": 4128, \"sectors\": 157, "
                      "\"least\": 129}"),
            std::string::npos)
      << json({{"k", sum}});
}

TEST_F(MemoryTest, DivergentLanesReconverge) {
  std::vector<unsigned> start(32);
  for (unsigned i = 0; i < 32; ++i) start[i] = i * i + 1;
  unsigned* x = upload(start, "x");
  unsigned* steps = memory.allocate<unsigned>(32, "steps");
  const Counters c = module.launch(memory, "collatz", {1}, {32}, 0, x, steps);
  EXPECT_GT(c.divergent_branches, 0u);
  for (unsigned i = 0; i < 32; ++i) {
    unsigned n = start[i], count = 0;
    for (; n != 1; ++count) n = n % 2 ? 3 * n + 1 : n / 2;
    EXPECT_EQ(steps[i], count);
  }
}

TEST(ShortName, OmitsNamespacesAndParameters) {
  EXPECT_EQ(short_name("_ZN6gpuvae7kernels12_GLOBAL__N_15applyILi4EEEvPfS3_x"), "apply<4>");
  EXPECT_EQ(short_name("plain"), "plain");
}

}  // namespace
}  // namespace ptx
