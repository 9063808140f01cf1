// Tests the kinds of errors and the version of the library.
#include "gpuvae/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "gpuvae/data.h"
#include "gpuvae/memory.h"
#include "gpuvae/ops.h"
#include "gpuvae/version.h"

namespace gpuvae {
namespace {

// Returns the kind of the error that `body` throws, or "none".
std::string kind_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return std::string(name(error.kind()));
  }
  return "none";
}

class NoMemory final : public Allocator {
 public:
  void* allocate(std::size_t, const Stream&) override { return nullptr; }
  void free(void*, std::size_t, const Stream&) noexcept override {}
};

TEST(ErrorKinds, WrongCallsAreInvalidArguments) {
  EXPECT_EQ(kind_of([] { static_cast<void>(Tensor::zeros({2}).reshape({3})); }), "invalid_argument");
  EXPECT_EQ(kind_of([] { throw Error("mine", "a text"); }), "invalid_argument") << "the default kind";
}

TEST(ErrorKinds, FileErrorsAreIo) {
  EXPECT_EQ(kind_of([] { static_cast<void>(load_dataset("/nonexistent/data.csv")); }), "io");
  EXPECT_EQ(kind_of([] { static_cast<void>(load_mnist("/nonexistent")); }), "io");
  const std::string path = testing::TempDir() + "damaged.npy";
  std::ofstream(path) << "no array";
  EXPECT_EQ(kind_of([&] { static_cast<void>(load_dataset(path)); }), "io");
}

TEST(ErrorKinds, UnavailableFeaturesAreUnsupported) {
  EXPECT_EQ(kind_of([] { static_cast<void>(curand_normal({2}, 1, 0, 1, Device::cpu())); }), "unsupported");
  if (Device::cuda_count() == 0)
    EXPECT_EQ(kind_of([] { static_cast<void>(Device::cuda()); }), "unsupported");
  else
    EXPECT_EQ(kind_of([] { static_cast<void>(Device::cuda(Device::cuda_count())); }), "invalid_argument");
}

TEST(ErrorKinds, ExhaustedMemoryIsOutOfMemory) {
  set_allocator(Device::cpu(), std::make_shared<NoMemory>());
  const std::string kind = kind_of([] { static_cast<void>(Tensor::empty({2})); });
  set_allocator(Device::cpu(), nullptr);
  EXPECT_EQ(kind, "out_of_memory");
}

TEST(ErrorKindsOnDevice, ExhaustedDeviceMemoryIsOutOfMemory) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const std::int64_t more_than_any_device_has = std::int64_t{1} << 50;
  EXPECT_EQ(kind_of([&] {
              static_cast<void>(Tensor::empty({more_than_any_device_has}, DType::f32, Device::cuda()));
            }),
            "out_of_memory");
}

TEST(ErrorKinds, AnErrorIsARuntimeError) {
  try {
    throw Error("load", "a text", ErrorKind::io);
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "[load] a text");
  }
}

TEST(LibraryVersion, MatchesTheHeaders) {
  const std::string expected = std::to_string(GPUVAE_VERSION_MAJOR) + "." +
                               std::to_string(GPUVAE_VERSION_MINOR) + "." +
                               std::to_string(GPUVAE_VERSION_PATCH);
  EXPECT_EQ(version(), expected);
  EXPECT_EQ(expected, GPUVAE_PROJECT_VERSION) << "differs from the version of the CMake project";
  EXPECT_EQ(GPUVAE_VERSION, GPUVAE_VERSION_MAJOR * 10000 + GPUVAE_VERSION_MINOR * 100 + GPUVAE_VERSION_PATCH);
}

}  // namespace
}  // namespace gpuvae
