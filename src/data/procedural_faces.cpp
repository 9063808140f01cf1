// Each face is a texture (brows, eyes, nose, mouth) on a rounded head that is turned, lit from the right and
// sampled.
//
// The images must have the same bytes on every platform. procedural_digits.cpp says what this requires of the
// arithmetic and the compiler flags.
#include "src/data/procedural_faces.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "kernels/check.h"
#include "kernels/cpu/parallel.h"
#include "src/data/draws.h"

#ifdef __FAST_MATH__
#error "procedural_faces.cpp promises the same bytes everywhere: compile it without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0, "floats must be evaluated as floats");

namespace gpuvae::data {
namespace {

constexpr std::uint64_t kNoiseKey = 0x6661636573000001ull;
constexpr std::uint64_t kPoseKey = 0x6661636573000002ull;
constexpr std::uint64_t kSmileKey = 0x6661636573000003ull;
constexpr std::int64_t kPosePeriod = 23, kSmilePeriod = 37;  // frames from one side to the other
constexpr int kPixels = kFaceHeight * kFaceWidth;
constexpr int kSamples = 2;  // per side of a pixel
// Grey levels. The extremes are those of Frey Face.
constexpr float kDarkest = 8.0f, kBrightest = 238.0f, kNoise = 2.0f;
constexpr float kHalfWidth = 9.6f;  // half the width of the head at the eyes, pixels

float squared(float v) { return v * v; }
float mix(float a, float b, float t) { return a + t * (b - a); }
float ease(float t) { return t * t * (3.0f - 2.0f * t); }

// Returns a smooth step that is 1 inside (distance below -softness) and 0 outside (distance above softness).
float cover(float distance, float softness) {
  return ease(std::clamp(0.5f - 0.5f * distance / softness, 0.0f, 1.0f));
}
// Returns a smooth hump with height 1 at the centre and 0 outside the ellipse.
float hump(float x, float y, float half_width, float half_height) {
  const float q = squared(x / half_width) + squared(y / half_height);
  return q < 1.0f ? squared(1.0f - q) : 0.0f;
}

// Returns the value at which a factor rests in period k: positive in even periods, negative in odd ones.
float rest_at(std::uint64_t key, std::int64_t k) {
  const float size = 0.3f + 0.7f * Draws(key, static_cast<std::uint64_t>(k)).uniform();
  return k % 2 == 0 ? size : -size;
}

// Returns the value of a factor in a frame. The factor rests for a part of the period, then moves to the next
// resting value.
float factor_at(std::uint64_t key, std::int64_t period, std::int64_t frame) {
  const std::int64_t k = frame / period;
  Draws draws(key, static_cast<std::uint64_t>(k));
  draws.bits();  // rest_at() uses the first number
  const float rest = 0.1f + 0.25f * draws.uniform();
  const float t = static_cast<float>(frame % period) / static_cast<float>(period);
  const float moved = ease(std::max(0.0f, (t - rest) / (1.0f - rest)));
  return mix(rest_at(key, k), rest_at(key, k + 1), moved);
}

struct Face {
  float smile, happy, sad;  // happy = max(0, smile), sad = max(0, -smile)
  float cosine, sine;       // of the head's turn
  float middle;             // of the head, pixels from the left
};

Face make_face(float pose, float smile) {
  Face f{};
  f.smile = smile;
  f.happy = std::max(0.0f, smile);
  f.sad = std::max(0.0f, -smile);
  // Cosine and sine are computed from the tangent of half the angle (up to 14 degrees), because the last bits
  // of std::sin and std::cos differ between libraries.
  const float half = 0.12f * pose, norm = 1.0f / (1.0f + half * half);
  f.cosine = (1.0f - half * half) * norm;
  f.sine = 2.0f * half * norm;
  f.middle = 10.0f + 0.3f * pose;
  return f;
}

// Returns half the width of the head in row y, in pixels. The head narrows towards the chin, but less when a
// smile widens the cheeks.
float half_width(const Face& f, float y) {
  const float below = std::max(0.0f, y - 14.0f), above = std::max(0.0f, 8.0f - y);
  return kHalfWidth - (0.028f - 0.016f * f.happy) * squared(below) - 0.012f * squared(above);
}

// Returns the brightness by Lambert's law of a face that is flat in front and round at the sides. The
// direction of the light is (0.30, 0.87) in x (to the right) and z (to the viewer).
float lambert(const Face& f, float across) {
  const float nx = across * across * across, nz = std::sqrt(1.0f - nx * nx);
  const float turned_x = nx * f.cosine + nz * f.sine, turned_z = nz * f.cosine - nx * f.sine;
  return std::max(0.0f, 0.30f * turned_x + 0.87f * turned_z);
}

// `x` is the distance in pixels from the middle of the face along its surface, and `y` is the row from the
// top.
float brows_and_eyes(const Face& f, float x, float y, float grey) {
  const float side = std::fabs(x) - 4.2f;
  grey -= (44.0f - 14.0f * f.smile) * hump(side, y - 7.8f, 4.2f, 3.6f);  // the socket
  const float open = 1.2f - 0.8f * f.happy, middle = 8.3f - 0.3f * f.happy;
  const float lid = y - middle + 0.10f * squared(side);
  const float eye = cover(std::fabs(side) - 1.9f, 0.6f) * cover(std::fabs(lid) - open, 0.5f);
  grey = mix(grey, 190.0f, 0.35f * eye);
  grey = mix(grey, 20.0f, hump(side + 0.2f, y - middle, 2.1f + 0.4f * f.happy, 1.2f + open));  // iris
  const float lash = cover(std::fabs(side) - 2.0f, 0.7f) * cover(std::fabs(lid + open) - 0.3f, 0.5f);
  grey = mix(grey, 55.0f, 0.6f * lash);
  // Brows rise and arch in a smile; in a frown they sink, more so beside the nose.
  const float brow = y - 5.0f - 0.10f * squared(side) + 1.2f * f.happy - f.sad * (1.2f - 0.3f * side);
  const float hair = cover(std::fabs(side) - 2.5f, 1.0f) * cover(std::fabs(brow) - 0.5f - 0.3f * f.sad, 0.8f);
  grey = mix(grey, 50.0f, 0.9f * hair);
  return grey - 40.0f * f.sad * hump(x, y - 5.6f, 2.6f, 3.0f);  // the crease between the brows
}

float nose(const Face& f, float x, float y, float grey) {
  x -= 1.2f * f.sine * cover(9.0f - y, 6.0f);  // the nose protrudes, so it moves further
  const float along = cover(7.0f - y, 3.0f) * cover(y - 14.0f, 1.5f), wide = 1.0f + 0.09f * (y - 6.0f);
  grey += 18.0f * along * hump(x - 0.5f, 0.0f, 1.7f * wide, 1.0f);
  grey -= (20.0f - 24.0f * f.sine) * along * hump(x + 1.9f * wide, 0.0f, 1.7f * wide, 1.0f);
  grey -= (50.0f - 14.0f * f.happy) * hump(x + 0.2f, y - 14.6f, 3.2f, 1.7f);
  return mix(grey, 42.0f, 0.75f * hump(std::fabs(x) - 1.35f - 0.5f * f.happy, y - 14.0f, 1.2f, 1.0f));
}

float cheeks(const Face& f, float x, float y, float grey) {
  const float side = std::fabs(x);
  // In a smile the cheeks rise and catch the light. In a frown they hang, and the lower face is in the shade.
  grey += (10.0f + 40.0f * f.smile) * hump(side - 5.2f, y - 13.4f, 4.4f, 4.6f);
  grey -= 56.0f * f.sad * hump(side - 3.4f, y - 21.5f, 6.5f, 7.5f);
  grey -= 52.0f * f.happy * hump(side - 7.4f, y - 20.5f, 3.8f, 6.0f);
  // The fold runs from the nostril past the corner of the mouth.
  const float fold = side - 2.7f - (0.25f + 0.36f * f.happy) * (y - 13.6f);
  grey += 26.0f * f.happy * hump(side, y - 16.0f, 4.0f, 2.0f);
  return grey - (14.0f + 30.0f * f.happy) * hump(0.0f, y - 17.0f, 1.0f, 4.2f) * hump(fold, 0.0f, 1.5f, 1.0f);
}

float mouth(const Face& f, float x, float y, float grey) {
  const float half = 3.6f + 2.2f * f.happy, across = std::fabs(x) / half;
  const float middle = 19.4f - 0.4f * f.happy + 0.6f * f.sad;
  const float bend = f.happy > 0.0f ? 1.9f * f.happy : -2.2f * f.sad;
  const float within = cover(std::fabs(x) - half, 0.9f), full = std::max(0.0f, 1.0f - across * across);
  const float open = 3.8f * f.happy * full;
  const float below = y - middle + bend * (across * across - 0.3f);  // from the line of the upper lip
  const float inside = within * cover(std::fabs(below - 0.5f * open) - 0.5f * open, 0.5f);
  grey -= 34.0f * within * full * cover(std::fabs(below - 0.5f * open) - 1.0f - 0.5f * open, 0.8f);
  grey = mix(grey, 40.0f, std::min(1.0f, 2.0f * f.happy) * inside);
  const float teeth = within * cover(std::fabs(below - 0.35f * open) - 0.35f * open, 0.5f);
  grey = mix(grey, 232.0f, std::min(1.0f, 2.0f * f.happy) * teeth);
  grey = mix(grey, 40.0f, 0.85f * within * cover(std::fabs(below) - 0.25f - 0.2f * f.sad, 0.75f));
  const float under = middle + 3.0f + 1.6f * f.happy;
  grey -= (34.0f + 20.0f * f.sad) * hump(x, y - under, 3.6f, 1.8f);
  return grey + (14.0f + 22.0f * f.smile) * hump(x, y - 25.4f, 4.4f, 2.6f);  // chin
}

float head(const Face& f, float x, float y) {
  const float width = half_width(f, y), u = std::clamp((x - f.middle) / width, -1.0f, 1.0f);
  const float z = std::sqrt(1.0f - u * u);
  // Rotates the point to the front view. `across` is its position across the face, and `front` is positive on
  // the front of the head.
  const float across = u * f.cosine - z * f.sine, front = u * f.sine + z * f.cosine;
  const float light = lambert(f, across), surface = across * width;
  float grey = 88.0f + 122.0f * light - 0.9f * (y - 6.0f);
  grey = brows_and_eyes(f, surface, y, grey);
  grey = cheeks(f, surface, y, grey);
  grey = mouth(f, surface, y, grey);
  grey = nose(f, surface, y, grey);
  const float hairline = 0.9f + 0.045f * surface * surface;
  const float sides = cover(front - 0.30f, 0.12f) * cover(y - 14.5f, 3.0f);
  grey = mix(grey, 0.62f * grey, cover(front - 0.22f, 0.25f));  // the edge of the jaw
  return mix(grey, 38.0f + 22.0f * light, std::max(sides, cover(y - hairline, 1.1f)));
}

float grey_at(const Face& f, float x, float y) {
  const float wall = std::min(205.0f, 118.0f + 3.4f * y + 0.8f * x);
  const float neck = 96.0f + 2.0f * x;
  const float width = half_width(f, y);
  const float behind = mix(wall, neck, cover(std::fabs(x - 10.0f) - 6.0f, 0.8f) * cover(21.0f - y, 1.0f));
  const float chin = y - 27.6f + 0.05f * squared(x - f.middle);
  const float outside = std::max(std::fabs(x - f.middle) - width, chin);
  return mix(behind, head(f, x, y), cover(outside, 0.7f));
}

void draw_face(const Face& f, std::uint64_t index, std::uint8_t* image) {
  Draws draws(kNoiseKey, index);
  for (int p = 0; p < kPixels; ++p) {
    float sum = 0.0f;
    for (int s = 0; s < kSamples * kSamples; ++s)
      sum += grey_at(
          f, static_cast<float>(p % kFaceWidth) + (static_cast<float>(s % kSamples) + 0.5f) / kSamples,
          static_cast<float>(p / kFaceWidth) + (static_cast<float>(s / kSamples) + 0.5f) / kSamples);
    const float grey = sum / (kSamples * kSamples) + kNoise * draws.normal();
    image[p] = static_cast<std::uint8_t>(std::clamp(grey, kDarkest, kBrightest) + 0.5f);
  }
}

}  // namespace

Faces make_procedural_faces(std::int64_t first, std::int64_t count) {
  check(first >= 0 && count >= 0 && first <= std::numeric_limits<std::int64_t>::max() - count,
        "make_procedural_faces", "expected first >= 0 and count >= 0, got first {} and count {}", first,
        count);
  Faces faces;
  faces.images.resize(static_cast<std::size_t>(count) * kPixels);
  faces.factors.resize(static_cast<std::size_t>(count) * 2);
  kernels::parallel_for(count, true, [&](std::int64_t i) {
    float* factors = faces.factors.data() + 2 * i;
    factors[0] = factor_at(kPoseKey, kPosePeriod, first + i);
    factors[1] = factor_at(kSmileKey, kSmilePeriod, first + i);
    draw_face(make_face(factors[0], factors[1]), static_cast<std::uint64_t>(first + i),
              faces.images.data() + i * kPixels);
  });
  return faces;
}

}  // namespace gpuvae::data
