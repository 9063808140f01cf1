#include "kernels/cpu/scratch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace gpuvae::kernels {
namespace {

TEST(Scratch, IsAlignedAndReused) {
  const float* first = nullptr;
  {
    const Scratch<float> scratch(1'000'000);
    first = scratch.get();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
    scratch.get()[0] = scratch.get()[999'999] = 1;
  }
  EXPECT_EQ(Scratch<float>(1'000'000).get(), first);
  EXPECT_EQ(Scratch<float>(900'000).get(), first);
}

TEST(Scratch, OfTwoScopesIsDifferent) {
  const Scratch<float> a(1000), b(1000);
  a.get()[999] = 1;
  b.get()[0] = b.get()[999] = 2;
  EXPECT_EQ(a.get()[999], 1);
}

TEST(Scratch, MayBeGivenBackByAnotherThread) {
  const ScratchBlock block = take_scratch(3'000'000);
  std::thread([&] { return_scratch(block); }).join();
  const ScratchBlock next = take_scratch(3'000'000);
  EXPECT_EQ(next.memory, block.memory);
  EXPECT_GE(next.bytes, 3'000'000U);
  return_scratch(next);
}

}  // namespace
}  // namespace gpuvae::kernels
