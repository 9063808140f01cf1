// A built-in replacement for Frey Face: frames of a parametric face whose pose and smile are known.
#pragma once

#include <cstdint>
#include <vector>

namespace gpuvae::data {

inline constexpr int kFaceHeight = 28, kFaceWidth = 20;
inline constexpr std::int64_t kProceduralFaces = 1965;  // as many as Frey Face has

// The first 1,800 of 1,965 frames of Frey Face are for training, the others for validation. Videos of another
// length are split in the same proportion.
constexpr std::int64_t face_training_frames(std::int64_t frames) { return frames * 1800 / 1965; }

struct Faces {
  std::vector<std::uint8_t> images;  // count x 28 x 20, row by row
  std::vector<float> factors;        // count x {pose, smile}, each in [-1, 1]
};

// Returns the frames first, ..., first + count - 1 of an endless video. A pose of -1 looks to the left of the
// image, a pose of 1 to the right. A smile of -1 is a frown, a smile of 1 a grin. Both factors move slowly
// from one side to the other, with different periods, and rest on each side for a while. The images contain a
// little sensor noise. Frame i is a pure function of i: its bytes are the same on every platform, for every
// `first` and any number of threads. Throws Error if `first` or `count` is negative or if first + count
// overflows.
Faces make_procedural_faces(std::int64_t first, std::int64_t count);

}  // namespace gpuvae::data
