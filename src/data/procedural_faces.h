// A built-in stand-in for Frey Face: frames of a parametric face whose pose and smile are known.
#pragma once

#include <cstdint>
#include <vector>

namespace gpuvae::data {

inline constexpr int kFaceHeight = 28, kFaceWidth = 20;
inline constexpr std::int64_t kProceduralFaces = 1965;  // as many as Frey Face has

struct Faces {
  std::vector<std::uint8_t> images;  // count x 28 x 20, row by row
  std::vector<float> factors;        // count x {pose, smile}, each in [-1, 1]
};

// Frames first ... first + count - 1 of an endless video. Pose -1 looks to the left of the image, 1 to the
// right; smile -1 is a frown, 1 a grin. Both move slowly, at their own rhythms, from one side to the other,
// and rest there for a while; a little sensor noise comes on top. Frame i is a pure function of i: the same
// bytes on every platform, for every `first` and number of threads. Throws Error if first or count is
// negative, or first + count overflows.
Faces make_procedural_faces(std::int64_t first, std::int64_t count);

}  // namespace gpuvae::data
