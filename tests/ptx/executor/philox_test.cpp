// Philox4x32-10 must agree bit for bit between cuRAND's device function (compiled by nvcc and executed here),
// gpuvae's function on the device, and the same function on the host.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "gpuvae/device/random.h"
#include "test_kernels.h"

namespace ptx {
namespace {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

struct Results {
  std::vector<Counter> of_curand, of_gpuvae;
};

Results execute(const std::vector<Counter>& counters, const std::vector<Key>& keys) {
  Module module = load_module("philox");
  Memory memory;
  const int count = static_cast<int>(counters.size());
  Counter* of_curand = memory.allocate<Counter>(counters.size());
  Counter* of_gpuvae = memory.allocate<Counter>(counters.size());
  module.launch(memory, "philox", {static_cast<unsigned>(count + 255) / 256}, {256}, 0,
                upload(memory, counters), upload(memory, keys), of_curand, of_gpuvae, count);
  return {{of_curand, of_curand + count}, {of_gpuvae, of_gpuvae + count}};
}

// These answers are published by D. E. Shaw Research with the algorithm (Random123, kat_vectors).
TEST(PtxPhilox, KnownAnswers) {
  const std::vector<Counter> counters = {
      {0, 0, 0, 0}, {~0u, ~0u, ~0u, ~0u}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}};
  const std::vector<Key> keys = {{0, 0}, {~0u, ~0u}, {0xa4093822, 0x299f31d0}};
  const std::vector<Counter> expected = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  const Results results = execute(counters, keys);
  EXPECT_EQ(results.of_curand, expected);
  EXPECT_EQ(results.of_gpuvae, expected);
}

TEST(PtxPhilox, AgreesWithCurandOnRandomInputs) {
  constexpr std::size_t kCount = 100'000;
  std::mt19937 random(2026);
  std::vector<Counter> counters(kCount);
  std::vector<Key> keys(kCount);
  for (std::size_t n = 0; n < kCount; ++n) {
    for (std::uint32_t& word : counters[n]) word = random();
    for (std::uint32_t& word : keys[n]) word = random();
  }
  const Results results = execute(counters, keys);
  ASSERT_EQ(results.of_curand, results.of_gpuvae);
  for (std::size_t n = 0; n < kCount; ++n) {
    const Counter& c = counters[n];
    const gpuvae::Philox4x32 host =
        gpuvae::philox4x32(c[0], c[1], c[2], c[3], std::uint64_t(keys[n][1]) << 32 | keys[n][0]);
    for (std::size_t k = 0; k < 4; ++k) ASSERT_EQ(host.v[k], results.of_curand[n][k]) << n;
  }
}

}  // namespace
}  // namespace ptx
