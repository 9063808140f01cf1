// Lets every allocation of host memory (operator new) in a training run fail, one at a time: an exception
// says so, nothing leaks, and the library works as before. This program replaces operator new.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "gpuvae/gpuvae.h"

namespace {

std::atomic<bool> armed = false;      // whether allocations are counted, and fail
std::atomic<long> until_failure = 0;  // allocations before the one that fails
std::atomic<long> live = 0;           // blocks that are not freed

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (armed && until_failure-- == 0) return nullptr;
  void* pointer = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (pointer) ++live;
  return pointer;
}
void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* pointer = allocate(bytes, alignment)) return pointer;
  throw std::bad_alloc();
}
void deallocate(void* pointer) {
  if (pointer) --live;
  std::free(pointer);
}
constexpr std::size_t kAlignment = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t n) { return allocate_or_throw(n, kAlignment); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, kAlignment); }
void* operator new(std::size_t n, std::align_val_t a) {
  return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, kAlignment); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, kAlignment); }
void operator delete(void* p) noexcept { deallocate(p); }
void operator delete[](void* p) noexcept { deallocate(p); }
void operator delete(void* p, std::size_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::size_t) noexcept { deallocate(p); }
void operator delete(void* p, std::align_val_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::align_val_t) noexcept { deallocate(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { deallocate(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { deallocate(p); }

namespace gpuvae {
namespace {

// Trains and returns a parameter's values. The layers are wide enough for products on several threads.
std::vector<float> train() {
  constexpr std::int64_t kFeatures = 300, kImages = 256;
  std::vector<std::uint8_t> bytes(kImages * kFeatures);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i * 7 / 16);
  const Dataset images{15, 20, Tensor::from(bytes, {kImages, kFeatures}), {}};
  VaeOptions options;
  options.features = kFeatures;
  options.encoder_widths = {300};
  Vae model(options, Device::cpu());
  Optimizer optimizer(model.parameters(), {});
  TrainOptions training;
  training.batch_size = 128;
  Trainer trainer(model, optimizer, images, images, training);
  trainer.run_epoch();
  return model.parameters().front().variable.value().to_vector();
}

// Fails each allocation in turn, and returns how many mistakes the library made.
int fail_each_allocation(int threads) {
  set_num_threads(threads);
  const std::vector<float> expected = train();
  train();  // the caches of the calling thread are now full, and those of the helpers perhaps not
  const long before = live;
  int failures = 0, mistakes = 0;
  for (long allocation = 0;; ++allocation) {
    bool failed = true;
    std::string error;
    until_failure = allocation;
    armed = true;
    try {
      const std::vector<float> values = train();
      armed = false;
      failed = until_failure < 0;  // an allocation that may fail without an error, as a cache's
      mistakes += values != expected;
      if (values != expected)
        std::fprintf(stderr, "other values after a failure at allocation %ld\n", allocation);
    } catch (const std::bad_alloc&) {
      armed = false;
    } catch (const Error& e) {
      armed = false;
      error = e.what();
      if (e.kind() != ErrorKind::out_of_memory) {
        ++mistakes;
        std::fprintf(stderr, "allocation %ld: expected the kind out_of_memory, got: %s\n", allocation,
                     error.c_str());
      }
    }
    error = {};
    if (threads == 1 && live > before) {
      std::fprintf(stderr, "allocation %ld: %ld blocks leaked\n", allocation, live - before);
      return mistakes + 1;
    }
    if (!failed) break;
    ++failures;
  }
  mistakes += train() != expected || failures < 100;
  std::printf("%d threads: %d failures injected, %d mistakes\n", threads, failures, mistakes);
  return mistakes;
}

}  // namespace
}  // namespace gpuvae

int main() { return gpuvae::fail_each_allocation(1) + gpuvae::fail_each_allocation(2); }
