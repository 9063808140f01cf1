// Lets every allocation of tensors in a training run fail, one at a time: the error says so, nothing leaks,
// and the library works as before.
#include <gtest/gtest.h>

#include <atomic>

#include "gpuvae/gpuvae.h"
#include "kernels/backend.h"

namespace gpuvae {
namespace {

// Allocates directly from the system, and fails at one allocation.
class FailingAllocator final : public Allocator {
 public:
  explicit FailingAllocator(Device device) : device_(device) {}
  void* allocate(std::size_t bytes, const Stream&) override {
    if (count_++ == fails_at_) throw Error("allocate", "out of memory: injected", ErrorKind::out_of_memory);
    live_ += bytes;
    return device_.backend().allocate(bytes);
  }
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override {
    device_.backend().synchronize(stream.handle());
    device_.backend().release(pointer);
    live_ -= bytes;
  }
  void fail_at(int allocation) {
    count_ = 0;
    fails_at_ = allocation;
  }
  bool failed() const { return count_ > fails_at_; }
  std::size_t live() const { return live_; }

 private:
  Device device_;
  std::atomic<int> count_ = 0;
  int fails_at_ = -1;
  std::atomic<std::size_t> live_ = 0;
};

// Returns the parameters after seven steps, in which an epoch ends.
std::vector<float> train_briefly(Device device, Executor executor) {
  std::vector<std::uint8_t> bytes(43 * 16);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i * 7 / 16);
  const Dataset images{4, 4, Tensor::from(bytes, {43, 16}, device), {}};
  VaeOptions options;
  options.features = 16;
  options.encoder_widths = {8};
  Vae model(options, device);
  Optimizer optimizer(model.parameters(), {.learning_rate = 5e-3});
  TrainOptions training;
  training.batch_size = 8;
  training.executor = executor;
  Trainer trainer(model, optimizer, images, images, training);
  trainer.on_epoch([](const EpochResult&) { return TrainControl::proceed; });
  trainer.run_steps(7);
  std::vector<float> all;
  for (const Parameter& p : model.parameters())
    for (const float v : p.variable.value().to_vector()) all.push_back(v);
  return all;
}

struct FailingPlace {
  Device device;
  Executor executor;
  int stride;  // every how many allocations one fails; the emulated device is slow
};

TEST(OutOfMemory, AFailureAtAnyAllocationOfARunLeavesNothingBehind) {
  std::vector<FailingPlace> places{{Device::cpu(), Executor::eager, 1}};
  if (Device::cuda_count() > 0) {
    places.push_back({Device::cuda(), Executor::eager, 9});
    places.push_back({Device::cuda(), Executor::graph, 9});
  }
  for (const auto& [device, executor, stride] : places) {
    const std::vector<float> expected = train_briefly(device, executor);
    const auto allocator = std::make_shared<FailingAllocator>(device);
    set_allocator(device, allocator);
    int failures = 0;
    for (int allocation = 0;; allocation += stride) {
      allocator->fail_at(allocation);
      try {
        EXPECT_EQ(train_briefly(device, executor), expected);
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::out_of_memory) << error.what();
        EXPECT_NE(std::string(error.what()).find("out of memory"), std::string::npos) << error.what();
        ++failures;
      }
      EXPECT_EQ(allocator->live(), 0u) << "after a failure at allocation " << allocation;
      if (!allocator->failed()) break;
    }
    set_allocator(device, nullptr);
    EXPECT_GT(failures, 60 / stride) << device.text();
    EXPECT_EQ(train_briefly(device, executor), expected);
  }
}

}  // namespace
}  // namespace gpuvae
