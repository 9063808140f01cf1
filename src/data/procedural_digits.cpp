// Each digit is a pen path (digit_strokes.h) that is blended, jittered, slanted, warped and drawn as a chain
// of discs.
//
// The images must have the same bytes on every platform. The arithmetic therefore uses only +, -, *, /, sqrt
// and conversions, which IEEE 754 defines to the last bit. Compile this file with -ffp-contract=off, because
// a fused multiply-add rounds once instead of twice, and never with -ffast-math.
#include "src/data/procedural_digits.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <limits>

#include "kernels/check.h"
#include "kernels/cpu/parallel.h"
#include "src/data/digit_strokes.h"
#include "src/data/draws.h"

#ifdef __FAST_MATH__
#error "procedural_digits.cpp promises the same bytes everywhere: compile it without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0, "floats must be evaluated as floats");

namespace gpuvae::data {
namespace {

constexpr int kSide = 28;
constexpr int kPixels = kSide * kSide;
constexpr float kBox = 20.0f;     // pixels: the larger side of a digit, as in MNIST
constexpr float kMiddle = 14.0f;  // pixel index of the centre of mass, as in MNIST
constexpr std::uint64_t kKey = 0x6469676974730001ull;
constexpr int kMaxStamps = 512;

// A control point of the path: its position in units of the box, and its pen radius relative to the digit's.
struct PathPoint {
  float x, y, pen;
  Join join;
};

struct Path {
  std::array<PathPoint, kMaxStrokePoints> points;
  int count;
};

// A disc of ink. `mass` is the length of the path segment that the disc represents, times its radius.
struct Stamp {
  float x, y, radius, mass;
};

struct Stamps {
  std::array<Stamp, kMaxStamps> items;
  int count = 0;
};

const StrokeFamily& choose_family(int label, Draws& draws) {
  int rest = draws.below(100);
  const StrokeFamily* chosen = nullptr;
  for (const StrokeFamily& family : kStrokeFamilies) {
    if (family.label != label) continue;
    chosen = &family;
    rest -= family.weight;
    if (rest < 0) break;
  }
  return *chosen;
}

Path blend_prototypes(const StrokeFamily& family, Draws& draws) {
  const StrokePoint* a = family.table + family.points * draws.below(family.prototypes);
  const StrokePoint* b = family.table + family.points * draws.below(family.prototypes);
  const float t = 1.4f * draws.uniform() - 0.2f, sloppiness = 1.5f + 3.0f * draws.uniform();
  const float pen_variation = 0.05f + 0.15f * draws.uniform();
  Path path{};
  path.count = family.points;
  float wander_x = 0, wander_y = 0, pressure = 0;
  for (int i = 0; i < path.count; ++i) {
    // The error of the hand is correlated from point to point, so that strokes sway rather than shake. It
    // starts afresh, with a larger spread, where the pen touches the paper again.
    const float keep = i > 0 && a[i - 1].join == Join::lift ? 0.0f : 0.6f, fresh = keep > 0 ? 0.8f : 1.4f;
    wander_x = keep * wander_x + fresh * draws.normal();
    wander_y = keep * wander_y + fresh * draws.normal();
    pressure = keep * pressure + 0.8f * draws.normal();
    PathPoint& p = path.points[i];
    p.x = a[i].x + t * (b[i].x - a[i].x) - 50.0f + sloppiness * wander_x;
    p.y = a[i].y + t * (b[i].y - a[i].y) - 50.0f + sloppiness * wander_y;
    p.pen = std::max(0.5f, 1.0f + pen_variation * pressure);
    p.join = a[i].join;
  }
  return path;
}

// Bends the whole digit by quadratic and cubic displacements, then changes its width, slant and rotation.
void warp(Path& path, int label, Draws& draws) {
  const float bend = 0.08f;
  float c[8];
  for (float& k : c) k = bend * draws.normal();
  const float wide = std::clamp(0.95f + 0.2f * draws.normal(), 0.55f, 1.5f);
  const float slant = (label == 0 ? 0.10f : 0.20f) + 0.20f * draws.normal();
  // Cosine and sine are computed from the tangent of half the angle, because the last bits of std::sin and
  // std::cos differ between libraries.
  const float half = 0.04f * draws.normal(), norm = 1.0f / (1.0f + half * half);
  const float cosine = (1.0f - half * half) * norm, sine = 2.0f * half * norm;
  for (int i = 0; i < path.count; ++i) {
    PathPoint& p = path.points[i];
    const float u = p.x * 0.02f, v = p.y * 0.02f;
    const float du = c[0] * v * v + c[1] * u * v + c[2] * u * u + c[3] * v * v * v;
    const float dv = c[4] * v * v + c[5] * u * v + c[6] * u * u + c[7] * u * u * u;
    const float y = v + dv, x = (u + du) * wide - slant * y;
    p.x = 50.0f * (cosine * x - sine * y);
    p.y = 50.0f * (sine * x + cosine * y);
  }
}

float distance(const PathPoint& a, const PathPoint& b) {
  const float dx = b.x - a.x, dy = b.y - a.y;
  return std::sqrt(dx * dx + dy * dy);
}

// Stamps the cubic Hermite curve from p1 to p2 (Catmull and Rom, 1974). Its tangents are half of p2 - p0 and
// half of p3 - p1.
void stamp_segment(const PathPoint& p0, const PathPoint& p1, const PathPoint& p2, const PathPoint& p3,
                   Stamps& stamps) {
  const float length = distance(p1, p2);
  const int steps = static_cast<int>(length * 0.5f) + 2;
  const float mass = length / static_cast<float>(steps);
  for (int k = 0; k < steps && stamps.count < kMaxStamps; ++k) {
    const float t = static_cast<float>(k) / static_cast<float>(steps - 1);
    const float t2 = t * t, t3 = t2 * t;
    const float w1 = 2.0f * t3 - 3.0f * t2 + 1.0f, w2 = 3.0f * t2 - 2.0f * t3;
    const float m1 = 0.5f * (t3 - 2.0f * t2 + t), m2 = 0.5f * (t3 - t2);
    const float x = w1 * p1.x + w2 * p2.x + m1 * (p2.x - p0.x) + m2 * (p3.x - p1.x);
    const float y = w1 * p1.y + w2 * p2.y + m1 * (p2.y - p0.y) + m2 * (p3.y - p1.y);
    const float pen = w1 * p1.pen + w2 * p2.pen;
    stamps.items[stamps.count++] = {x, y, pen, mass * pen};
  }
}

void stamp_path(const Path& path, Stamps& stamps) {
  for (int i = 0; i + 1 < path.count; ++i) {
    const PathPoint &p1 = path.points[i], &p2 = path.points[i + 1];
    if (p1.join == Join::lift) continue;
    // At an end or a corner, the tangent follows the chord.
    const bool starts = i == 0 || p1.join == Join::corner || path.points[i - 1].join == Join::lift;
    const bool ends = i + 2 == path.count || p2.join != Join::smooth;
    stamp_segment(starts ? p1 : path.points[i - 1], p1, p2, ends ? p2 : path.points[i + 2], stamps);
  }
}

// Converts the stamps to pixels. The larger side of the digit fills the box, and the path's centre of mass
// moves to the centre of the image.
void place(Stamps& stamps, float radius, float softness) {
  float left = FLT_MAX, right = -FLT_MAX, top = FLT_MAX, bottom = -FLT_MAX, mass = 0, x = 0, y = 0;
  for (int i = 0; i < stamps.count; ++i) {
    const Stamp& s = stamps.items[i];
    left = std::min(left, s.x);
    right = std::max(right, s.x);
    top = std::min(top, s.y);
    bottom = std::max(bottom, s.y);
    mass += s.mass;
    x += s.mass * s.x;
    y += s.mass * s.y;
  }
  const float scale = (kBox - 2.0f * radius - softness) / std::max(right - left, bottom - top);
  for (int i = 0; i < stamps.count; ++i) {
    Stamp& s = stamps.items[i];
    s.x = (s.x - x / mass) * scale + kMiddle;
    s.y = (s.y - y / mass) * scale + kMiddle;
    s.radius *= radius;
  }
}

// Adds one disc of ink. depth[p] is the depth of pixel p inside the disc in which it lies deepest, in pixels;
// it is negative if the pixel is outside all discs.
void press(const Stamp& s, float softness, float* depth) {
  const float reach = s.radius + softness;
  const int x0 = std::max(0, static_cast<int>(s.x - reach)), y0 = std::max(0, static_cast<int>(s.y - reach));
  const int x1 = std::min(kSide - 1, static_cast<int>(s.x + reach) + 1);
  const int y1 = std::min(kSide - 1, static_cast<int>(s.y + reach) + 1);
  for (int y = y0; y <= y1; ++y)
    for (int x = x0; x <= x1; ++x) {
      const float dx = static_cast<float>(x) - s.x, dy = static_cast<float>(y) - s.y;
      float& d = depth[y * kSide + x];
      d = std::max(d, s.radius - std::sqrt(dx * dx + dy * dy));
    }
}

// Draws the stamps. The ink fades over 2 * softness pixels at the edge of a stroke.
void draw(const Stamps& stamps, float softness, float darkness, std::uint8_t* image) {
  std::array<float, kPixels> depth;
  depth.fill(-softness);
  for (int i = 0; i < stamps.count; ++i) press(stamps.items[i], softness, depth.data());
  for (int p = 0; p < kPixels; ++p) {
    const float ink = std::min(1.0f, (depth[p] + softness) / (2.0f * softness));
    image[p] = static_cast<std::uint8_t>(std::min(255.0f, darkness * ink));
  }
}

// Moves the path so that the image's centre of mass is in the middle. place() does not achieve this exactly,
// because crossing strokes count twice in the mass of the path but once in the image. Returns false and moves
// nothing if the offset is below 0.3 pixels.
bool recentre(const std::uint8_t* image, Stamps& stamps) {
  int mass = 0, x = 0, y = 0;
  for (int p = 0; p < kPixels; ++p) {
    mass += image[p];
    x += image[p] * (p % kSide);
    y += image[p] * (p / kSide);
  }
  const float dx = kMiddle - static_cast<float>(x) / static_cast<float>(mass);
  const float dy = kMiddle - static_cast<float>(y) / static_cast<float>(mass);
  if (dx * dx + dy * dy < 0.09f) return false;
  for (int i = 0; i < stamps.count; ++i) {
    stamps.items[i].x += dx;
    stamps.items[i].y += dy;
  }
  return true;
}

void make_digit(std::uint64_t index, std::uint8_t* image, std::uint8_t* label) {
  Draws draws(kKey, index);
  *label = static_cast<std::uint8_t>(draws.below(10));
  Path path = blend_prototypes(choose_family(*label, draws), draws);
  warp(path, *label, draws);
  const float radius = std::clamp(1.22f + 0.33f * draws.normal(), 0.7f, 2.1f);  // pixels
  const float softness = 0.45f + 0.2f * draws.uniform(), darkness = 240.0f + 60.0f * draws.uniform();
  Stamps stamps;
  stamp_path(path, stamps);
  place(stamps, radius, softness);
  draw(stamps, softness, darkness, image);
  if (recentre(image, stamps)) draw(stamps, softness, darkness, image);
}

}  // namespace

Digits make_procedural_digits(std::int64_t first, std::int64_t count) {
  check(first >= 0 && count >= 0 && first <= std::numeric_limits<std::int64_t>::max() - count,
        "make_procedural_digits", "expected first >= 0 and count >= 0, got first {} and count {}", first,
        count);
  Digits digits;
  digits.images.resize(static_cast<std::size_t>(count) * kPixels);
  digits.labels.resize(static_cast<std::size_t>(count));
  kernels::parallel_for(count, true, [&](std::int64_t i) {
    make_digit(static_cast<std::uint64_t>(first + i), digits.images.data() + i * kPixels, &digits.labels[i]);
  });
  return digits;
}

}  // namespace gpuvae::data
