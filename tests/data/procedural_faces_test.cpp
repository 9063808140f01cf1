#include "src/data/procedural_faces.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "gpuvae/data.h"
#include "gpuvae/error.h"
#include "gpuvae/threads.h"

namespace gpuvae::data {
namespace {

constexpr std::int64_t kFacePixels = kFaceHeight * kFaceWidth;

// The built-in faces, which form a video.
const Faces& video() {
  static const Faces faces = make_procedural_faces(0, kProceduralFaces);
  return faces;
}

// Returns the mean of the frames that `wanted` selects by pose and smile.
template <class Wanted>
std::vector<double> mean_face(Wanted&& wanted) {
  std::vector<double> mean(kFacePixels);
  double count = 0;
  for (std::size_t i = 0; i < kProceduralFaces; ++i) {
    if (!wanted(video().factors[2 * i], video().factors[2 * i + 1])) continue;
    ++count;
    for (std::size_t p = 0; p < kFacePixels; ++p) mean[p] += video().images[i * kFacePixels + p];
  }
  EXPECT_GT(count, 50);
  for (double& m : mean) m /= count;
  return mean;
}

double mean_of(const std::vector<double>& face, int y0, int y1, int x0, int x1) {
  double sum = 0;
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) sum += face[static_cast<std::size_t>(y * kFaceWidth + x)];
  return sum / ((y1 - y0) * (x1 - x0));
}

// The bytes must be the same on every platform. A failure on a new platform means that its compiler rounds
// differently, perhaps with fused multiply-adds. A failure after a change of the generator means that
// published numbers that depend on it become invalid.
TEST(ProceduralFaces, BytesMatchRecordedChecksums) {
  const auto crc = [](const void* data, std::size_t size) {
    return crc32(0, static_cast<const Bytef*>(data), static_cast<unsigned>(size));
  };
  EXPECT_EQ(crc(video().images.data(), video().images.size()), 0xc3d599f4u);
  EXPECT_EQ(crc(video().factors.data(), video().factors.size() * sizeof(float)), 0x25bb5239u);
}

TEST(ProceduralFaces, SameFromAnyOffsetAtAnyNumberOfThreads) {
  const int before = num_threads();
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (const std::int64_t first : {1, 23, 299}) {
      const Faces part = make_procedural_faces(first, 41);
      const auto from = video().images.begin() + first * kFacePixels;
      EXPECT_EQ(part.images, std::vector<std::uint8_t>(from, from + 41 * kFacePixels));
      const auto factors = video().factors.begin() + first * 2;
      EXPECT_EQ(part.factors, std::vector<float>(factors, factors + 82));
    }
  }
  set_num_threads(before);
}

TEST(ProceduralFaces, SizesAndErrors) {
  EXPECT_TRUE(make_procedural_faces(3, 0).factors.empty());
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(make_procedural_faces(most - 1, 1).images.size(), static_cast<std::size_t>(kFacePixels));
  EXPECT_THROW(make_procedural_faces(-1, 1), Error);
  EXPECT_THROW(make_procedural_faces(0, -1), Error);
  EXPECT_THROW(make_procedural_faces(most, 1), Error);
}

// The grey levels of the original Frey Face images range from 8 to 238, and their mean is 154.46.
TEST(ProceduralFaces, GreyLevelsAreNearFreyFace) {
  const auto [low, high] = std::minmax_element(video().images.begin(), video().images.end());
  EXPECT_GE(*low, 8);
  EXPECT_LE(*low, 40);
  EXPECT_GE(*high, 215);
  EXPECT_LE(*high, 238);
  double sum = 0;
  for (const std::uint8_t p : video().images) sum += p;
  EXPECT_NEAR(sum / static_cast<double>(video().images.size()), 154.5, 3);
}

TEST(ProceduralFaces, PoseAndSmileCoverTheirRangesIndependently) {
  std::array<int, 25> visits{};
  double sums[5] = {};
  for (std::size_t i = 0; i < kProceduralFaces; ++i) {
    const float pose = video().factors[2 * i], smile = video().factors[2 * i + 1];
    ASSERT_TRUE(std::fabs(pose) <= 1 && std::fabs(smile) <= 1);
    const auto cell = [](float v) {
      return std::min<std::size_t>(4, static_cast<std::size_t>((v + 1) * 2.5f));
    };
    ++visits[cell(smile) * 5 + cell(pose)];
    const double terms[] = {pose, smile, pose * pose, smile * smile, pose * smile};
    for (int k = 0; k < 5; ++k) sums[k] += terms[k] / kProceduralFaces;
  }
  for (const int n : visits) EXPECT_GE(n, 15);
  const double spread = (sums[2] - sums[0] * sums[0]) * (sums[3] - sums[1] * sums[1]);
  EXPECT_LE(std::fabs(sums[4] - sums[0] * sums[1]), 0.15 * std::sqrt(spread));
}

TEST(ProceduralFaces, FactorsChangeSlowlyAndPauseAtTimes) {
  int resting[2] = {};
  for (std::size_t i = 2; i < video().factors.size(); ++i) {
    const float moved = std::fabs(video().factors[i] - video().factors[i - 2]);
    EXPECT_LE(moved, i % 2 == 0 ? 0.2f : 0.15f);
    resting[i % 2] += moved == 0;
  }
  for (const int n : resting) EXPECT_GT(n, kProceduralFaces / 10);
}

// A grin brightens the cheeks and shows teeth. A face turned to the right shows more of the dark hair at the
// left edge.
TEST(ProceduralFaces, FactorsMatchTheirNames) {
  const auto grin = mean_face([](float, float smile) { return smile > 0.6f; });
  const auto frown = mean_face([](float, float smile) { return smile < -0.6f; });
  EXPECT_GT(mean_of(grin, 12, 15, 3, 6), mean_of(frown, 12, 15, 3, 6) + 30);
  EXPECT_GT(mean_of(grin, 20, 21, 8, 12), mean_of(frown, 20, 21, 8, 12) + 60);
  const auto right = mean_face([](float pose, float) { return pose > 0.6f; });
  const auto left = mean_face([](float pose, float) { return pose < -0.6f; });
  EXPECT_GT(mean_of(left, 5, 12, 1, 2), mean_of(right, 5, 12, 1, 2) + 40);
  EXPECT_LT(mean_of(left, 5, 12, 18, 19), mean_of(right, 5, 12, 18, 19) - 40);
}

TEST(ProceduralFrey, IsSplitLikeTheOriginalAndKeepsItsFactors) {
  const Split split = procedural_frey();
  EXPECT_EQ(split.train.count(), 1800);
  EXPECT_EQ(split.test.count(), 165);
  EXPECT_EQ(split.source, "built-in procedural faces");
  EXPECT_EQ(split.test.height, 28);
  EXPECT_EQ(split.test.width, 20);
  EXPECT_TRUE(split.test.labels.empty());
  const Dataset part = split.test.slice(5, 3).to(Device::cpu());
  EXPECT_EQ(part.factor_names, (std::vector<std::string>{"pose", "smile"}));
  const auto from = video().factors.begin() + 2 * 1805;
  EXPECT_EQ(part.factors, std::vector<float>(from, from + 6));
  EXPECT_EQ(part.examples.data_as<std::uint8_t>()[17], video().images[1805 * kFacePixels + 17]);
}

}  // namespace
}  // namespace gpuvae::data
