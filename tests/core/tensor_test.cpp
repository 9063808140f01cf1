#include "gpuvae/tensor.h"

#include <gtest/gtest.h>

#include <thread>

#include "gpuvae/memory.h"
#include "tests/error_message.h"

namespace gpuvae {
namespace {

using test::message_of;

TEST(Shape, CountsRowsAndColumns) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.elements(), 24);
  EXPECT_EQ(s.rows(), 6);
  EXPECT_EQ(s.columns(), 4);
  EXPECT_EQ(s[-1], 4);
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(s.text(), "[2, 3, 4]");
}

TEST(Shape, RejectsInvalidExtents) {
  EXPECT_NE(message_of([] { Shape{1, -1}; }).find("[shape]"), std::string::npos);
  EXPECT_NE(message_of([] { Shape{1, 2, 3, 4, 5}; }).find("at most 4"), std::string::npos);
  EXPECT_NE(message_of([] { Shape{1ll << 40, 1ll << 40}; }).find("2^63"), std::string::npos);
}

TEST(Tensor, SlicesAndReshapedTensorsShareMemory) {
  const Tensor t = Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {3, 2});
  t.slice(1, 2).reshape({4}).slice(0, 1).fill(9);
  EXPECT_EQ(t.to_vector(), (std::vector<float>{0, 1, 9, 3, 4, 5}));
  EXPECT_TRUE(t.slice(1, 1).shares_storage_with(t));
  EXPECT_FALSE(t.clone().shares_storage_with(t));
}

TEST(Tensor, ViewsForeignMemoryWithoutOwningIt) {
  float memory[4] = {1, 2, 3, 4};
  {
    const Tensor t = Tensor::view(memory, {2, 2}, DType::f32, Device::cpu());
    t.fill(7);
  }
  EXPECT_EQ(memory[3], 7);
  EXPECT_NE(message_of([] {
              static_cast<void>(Tensor::view(nullptr, {1}, DType::f32, Device::cpu()));
            }).find("[view]"),
            std::string::npos);
}

TEST(Tensor, ConvertsTypes) {
  const Tensor bytes = Tensor::from(std::vector<std::uint8_t>{0, 128, 255}, {3});
  EXPECT_EQ(bytes.to(DType::f32).to_vector(), (std::vector<float>{0, 128, 255}));
  // bf16 has eight significant bits, so 1 + 2^-8 lies halfway between two numbers and rounds to the even one.
  const Tensor x = Tensor::from(std::vector<float>{1.00390625f, -2.5f, 3.14159274f}, {3});
  EXPECT_EQ(x.to(DType::bf16).to(DType::f32).to_vector(), (std::vector<float>{1.0f, -2.5f, 3.140625f}));
}

TEST(Tensor, ErrorsNameOperationAndShapes) {
  const Tensor t = Tensor::zeros({3, 2});
  EXPECT_EQ(message_of([&] { static_cast<void>(t.reshape({5})); }),
            "[reshape] expected 6 elements, got [5] for f32[3, 2] on cpu");
  EXPECT_NE(message_of([&] { static_cast<void>(t.slice(2, 2)); }).find("f32[3, 2]"), std::string::npos);
  EXPECT_NE(message_of([&] { static_cast<void>(t.item()); }).find("one element"), std::string::npos);
  EXPECT_NE(message_of([&] { static_cast<void>(t.data_as<double>()); }).find("expected f64"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)Tensor().data(); }).find("undefined"), std::string::npos);
}

TEST(Device, InvalidDevicesAreErrors) {
  EXPECT_NE(message_of([] { static_cast<void>(Device::parse("gpu")); }).find("auto, cpu, cuda"),
            std::string::npos);
  EXPECT_NE(message_of([] { static_cast<void>(Device::cuda(63)); }).find("[device]"), std::string::npos);
}

TEST(Memory, FreedBlocksAreReused) {
  const Device cpu = Device::cpu();
  static_cast<void>(Tensor::empty({1000}));
  const auto before = memory_statistics(cpu);
  for (int i = 0; i < 10; ++i) static_cast<void>(Tensor::empty({1000}));
  const auto after = memory_statistics(cpu);
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_EQ(after.allocations, before.allocations + 10);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
}

TEST(Memory, CountsLiveAndPeakBytes) {
  const Device cpu = Device::cpu();
  reset_peak_memory(cpu);
  const std::size_t live = memory_statistics(cpu).live_bytes;
  {
    const Tensor a = Tensor::empty({256}), b = Tensor::empty({256});
    EXPECT_EQ(memory_statistics(cpu).live_bytes, live + 2048);
  }
  EXPECT_EQ(memory_statistics(cpu).live_bytes, live);
  EXPECT_EQ(memory_statistics(cpu).peak_bytes, live + 2048);
  release_unused_memory(cpu);
}

TEST(Memory, IsSafeFromManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 1; i < 200; ++i) static_cast<void>(Tensor::full({i}, i));
    });
  for (std::thread& t : threads) t.join();
}

TEST(Memory, UsesTheCustomAllocator) {
  struct Counting : Allocator {
    int allocated = 0, freed = 0;
    void* allocate(std::size_t bytes, const Stream&) override { return ++allocated, std::malloc(bytes); }
    void free(void* p, std::size_t, const Stream&) noexcept override { ++freed, std::free(p); }
  };
  const auto counting = std::make_shared<Counting>();
  Tensor outlives;
  set_allocator(Device::cpu(), counting);
  { const Tensor t = Tensor::zeros({10}); }
  outlives = Tensor::zeros({10});
  set_allocator(Device::cpu(), nullptr);
  static_cast<void>(Tensor::zeros({10}));
  EXPECT_EQ(counting->allocated, 2);
  outlives = Tensor();
  EXPECT_EQ(counting->freed, 2);
}

}  // namespace
}  // namespace gpuvae
