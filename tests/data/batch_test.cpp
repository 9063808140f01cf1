#include <gtest/gtest.h>

#include <numeric>

#include "gpuvae/data.h"
#include "gpuvae/error.h"
#include "tests/cases/reference_random.h"

namespace gpuvae {
namespace {

// The number 3 as a step counter on the device, byte by byte.
Tensor three() { return Tensor::from(std::vector<std::uint8_t>{3, 0, 0, 0, 0, 0, 0, 0}, {8}); }

// Pixel p of image i is (37 i + p) mod 256.
Tensor images(std::int64_t count, std::int64_t pixels) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * pixels));
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t p = 0; p < pixels; ++p) bytes[i * pixels + p] = static_cast<std::uint8_t>(37 * i + p);
  return Tensor::from(bytes, {count, pixels});
}
std::vector<std::int32_t> samples_of(const Batch& b) {
  const Tensor host = b.samples.to(Device::cpu());
  const auto* s = host.data_as<std::int32_t>();
  return {s, s + host.elements()};
}

class Gather : public testing::TestWithParam<std::int64_t> {};  // number of pixels

TEST_P(Gather, MatchesItsUnfusedImplementationOnEveryDevice) {
  const Tensor data = images(23, GetParam());
  for (const Device device : {Device::cpu(), Device::best()})
    for (const bool shuffle : {false, true})
      for (std::uint64_t step = 0; step < 10; ++step) {
        const Clock clock{.step = step, .steps_per_epoch = 5};
        const BatchOptions options{.shuffle = shuffle, .seed = 99};
        const Batch fused = gather_batch(data.to(device), 5, clock, options);
        const Batch unfused = unfused::gather_batch(data, 5, clock, options);
        EXPECT_EQ(samples_of(fused), samples_of(unfused));
        const auto x = fused.x.to_vector(), expected = unfused.x.to_vector();
        ASSERT_EQ(x.size(), expected.size());
        for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], expected[i], 1e-7);
      }
}
INSTANTIATE_TEST_SUITE_P(Widths, Gather, testing::Values(1, 3, 17, 560, 784, 1000));

TEST(GatherBatch, ScalesBytesExactly) {
  const Tensor data = images(1, 256);
  for (const Device device : {Device::cpu(), Device::best()}) {
    const auto x = gather_batch(data.to(device), 1, {}, {.shuffle = false}).x.to_vector();
    for (int p = 0; p < 256; ++p) ASSERT_EQ(x[p], static_cast<float>(p) / 255.0f) << p;
  }
}

TEST(GatherBatch, EachEpochVisitsEveryImageOnceInANewOrder) {
  const Tensor data = images(103, 4);
  std::vector<std::int32_t> orders[2];
  for (std::uint64_t step = 0; step < 22; ++step) {
    const Batch b = gather_batch(data, 10, {.step = step, .steps_per_epoch = 11}, {.seed = 5});
    EXPECT_EQ(b.x.shape()[0], step % 11 == 10 ? 3 : 10);
    for (auto s : samples_of(b)) orders[step / 11].push_back(s);
  }
  EXPECT_NE(orders[0], orders[1]);
  std::vector<std::int32_t> all(103);
  std::iota(all.begin(), all.end(), 0);
  for (auto& order : orders) {
    EXPECT_NE(order, all);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, all);
  }
}

TEST(GatherBatch, BinarizesAsRequested) {
  const std::int64_t pixels = 300;
  const Tensor data = images(7, pixels);
  for (const Device device : {Device::cpu(), Device::best()}) {
    const auto gather = [&](Binarize how, std::uint64_t step) {
      const BatchOptions o{.shuffle = false, .binarize = how, .threshold = 0.5, .seed = 12};
      return gather_batch(data.to(device), 7, {.step = step, .steps_per_epoch = 1}, o).x.to_vector();
    };
    const auto threshold = gather(Binarize::threshold, 0), fixed = gather(Binarize::fixed, 0);
    for (std::int64_t i = 0; i < 7; ++i)
      for (std::int64_t p = 0; p < pixels; ++p) {
        const int byte = (37 * i + p) % 256;
        ASSERT_EQ(threshold[i * pixels + p], byte > 127 ? 1 : 0);
        const auto words = cases::reference_words(
            12, RandomPurpose::binarization, 0, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(p));
        ASSERT_EQ(fixed[i * pixels + p], cases::reference_uniform(words[p % 4]) < byte / 255.0 ? 1 : 0);
      }
    EXPECT_EQ(gather(Binarize::fixed, 3), fixed);
    EXPECT_NE(gather(Binarize::dynamic, 3), gather(Binarize::dynamic, 4));
    EXPECT_EQ(gather(Binarize::dynamic, 3), gather(Binarize::dynamic, 3));
  }
}

// Value c of row i is (1000 i + c) / 7 - 50, which is neither in [0, 1] nor exact in fewer bits.
Tensor table(std::int64_t count, std::int64_t columns) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < columns; ++c)
      values.push_back(static_cast<float>(1000 * i + c) / 7.0f - 50.0f);
  return Tensor::from(values, {count, columns});
}

TEST_P(Gather, CopiesRowsOfFloatsUnscaledOnEveryDevice) {
  const Tensor data = table(23, GetParam());
  for (const Device device : {Device::cpu(), Device::best()})
    for (std::uint64_t step = 0; step < 10; ++step) {
      const Clock clock{.step = step, .steps_per_epoch = 5};
      const Batch fused = gather_batch(data.to(device), 5, clock, {.seed = 99});
      EXPECT_EQ(samples_of(fused), samples_of(unfused::gather_batch(data, 5, clock, {.seed = 99})));
      std::vector<float> expected;
      for (const std::int32_t s : samples_of(fused))
        for (const float x : data.slice(s, 1).to_vector()) expected.push_back(x);
      EXPECT_EQ(fused.x.to_vector(), expected);
      EXPECT_EQ(unfused::gather_batch(data, 5, clock, {.seed = 99}).x.to_vector(), expected);
      const BatchOptions above{.binarize = Binarize::threshold, .threshold = 1500, .seed = 99};
      for (float& x : expected) x = x > 1500 ? 1 : 0;
      EXPECT_EQ(gather_batch(data.to(device), 5, clock, above).x.to_vector(), expected);
    }
  EXPECT_EQ(gather_batch(data, 23, {}, {.shuffle = false}, DType::f64).x.to_doubles(), data.to_doubles());
}

TEST(GatherBatch, DrawsNoBinaryPixelsFromFloats) {
  const Clock clocks[] = {{.steps_per_epoch = 4}, {.device_step = three(), .steps_per_epoch = 4}};
  for (const Clock& clock : clocks)
    for (const Binarize how : {Binarize::fixed, Binarize::dynamic}) {
      try {
        static_cast<void>(gather_batch(table(20, 6), 5, clock, {.binarize = how}));
        ADD_FAILURE() << "drew";
      } catch (const Error& e) {
        EXPECT_STREQ(e.what(),
                     "[gather_batch] expected u8 images to draw binary pixels from, got f32[20, 6] on cpu");
      }
    }
}

TEST(GatherBatch, ReadsTheStepFromTheDevice) {
  const Tensor data = images(20, 6);
  const Clock on_device{.step = 1, .device_step = three(), .steps_per_epoch = 4};
  const Batch a = gather_batch(data, 5, on_device, {.seed = 1});
  const Batch b = gather_batch(data, 5, {.step = 4, .steps_per_epoch = 4}, {.seed = 1});
  EXPECT_EQ(samples_of(a), samples_of(b));
}

TEST(GatherBatch, RejectsInvalidArguments) {
  const Tensor data = images(20, 6);
  EXPECT_THROW(static_cast<void>(gather_batch(data, 0, {}, {})), Error);
  EXPECT_THROW(static_cast<void>(gather_batch(data, 5, {.step = 0, .steps_per_epoch = 5}, {})), Error);
  EXPECT_THROW(static_cast<void>(gather_batch(data.to(DType::f64), 5, {}, {})), Error);
  EXPECT_THROW(static_cast<void>(gather_batch(data.to(DType::f32).reshape({20, 3, 2}), 5, {}, {})), Error);
}

}  // namespace
}  // namespace gpuvae
