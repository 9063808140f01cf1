// The pen paths of procedural_digits.cpp. The bounding box of a digit is 100 units square, and y grows
// downwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gpuvae::data {

enum class Join : std::uint8_t {
  smooth,  // the path bends through the point
  corner,  // the path changes direction at the point
  lift,    // the pen leaves the paper after the point
};

struct StrokePoint {
  float x, y;
  Join join = Join::smooth;
};

// One way to write a digit. `table` holds `prototypes` paths of `points` points each, one after the other.
// Each generated digit is a blend of two prototypes, so that shapes vary continuously within a family.
struct StrokeFamily {
  int label;
  int weight;  // share of the digit's samples, in percent
  int points, prototypes;
  const StrokePoint* table;
};

inline constexpr int kMaxStrokePoints = 16;
inline constexpr Join kCorner = Join::corner;
inline constexpr Join kLift = Join::lift;

// Each line is one prototype; a prototype that needs two lines has its second line indented.
// clang-format off
inline constexpr StrokePoint kZero[] = {
    {56,2}, {34,7}, {16,28}, {11,55}, {20,84}, {46,98}, {72,88}, {86,58}, {82,26}, {64,6}, {48,3},
    {66,14}, {44,4}, {22,18}, {12,48}, {18,80}, {42,97}, {70,90}, {86,62}, {84,32}, {70,12}, {52,8},
    {40,0}, {24,14}, {12,40}, {14,70}, {30,94}, {54,98}, {78,80}, {86,50}, {74,20}, {52,8}, {30,14},
    {70,4}, {46,10}, {24,32}, {12,62}, {16,88}, {36,98}, {60,84}, {80,56}, {88,26}, {82,6}, {62,6},
    {48,2}, {26,16}, {12,44}, {16,74}, {38,97}, {64,92}, {84,66}, {84,34}, {68,10}, {48,6}, {52,20},
};
inline constexpr StrokePoint kOnePlain[] = {
    {50,0}, {50,33}, {50,66}, {50,100},
    {55,0}, {50,30}, {47,65}, {49,100},
    {48,0}, {51,35}, {52,68}, {50,100},
};
inline constexpr StrokePoint kOneSerif[] = {
    {28,24}, {40,14}, {52,1,kCorner}, {52,50}, {51,100},
    {18,34}, {36,18}, {54,0,kCorner}, {52,50}, {50,100},
};
inline constexpr StrokePoint kOneBase[] = {
    {30,20}, {40,13}, {52,2,kCorner}, {52,50}, {51,98,kLift}, {24,99}, {50,99}, {78,97},
    {22,28}, {38,15}, {54,1,kCorner}, {52,50}, {50,97,kLift}, {18,98}, {50,97}, {84,95},
};
inline constexpr StrokePoint kTwoAngular[] = {
    {16,24}, {30,6}, {55,1}, {76,14}, {76,36}, {56,60}, {32,81}, {12,97,kCorner}, {45,95}, {88,95},
    {22,14}, {44,2}, {66,5}, {76,20}, {70,40}, {52,62}, {32,80}, {16,94,kCorner}, {50,90}, {84,97},
    {12,32}, {20,10}, {46,0}, {72,8}, {80,32}, {64,58}, {38,80}, {10,96,kCorner}, {44,99}, {92,90},
    {20,12}, {44,4}, {66,4}, {78,14}, {70,32}, {52,54}, {32,74}, {10,94,kCorner}, {44,90}, {98,80},
};
inline constexpr StrokePoint kTwoLoop[] = {
    {16,22}, {34,4}, {60,2}, {78,18}, {74,42}, {54,66}, {30,86},
      {12,92}, {10,78}, {26,74}, {48,86}, {70,96}, {92,88},
    {24,12}, {44,1}, {66,6}, {74,24}, {68,48}, {50,72}, {28,92},
      {10,90}, {14,74}, {34,76}, {54,88}, {74,94}, {94,80},
    {30,22}, {44,6}, {62,4}, {72,18}, {66,40}, {48,62}, {24,80},
      {4,84}, {8,68}, {28,68}, {50,82}, {76,88}, {98,72},
};
inline constexpr StrokePoint kThree[] = {
    {16,12}, {38,2}, {64,4}, {76,20}, {64,38}, {40,47,kCorner}, {66,52}, {84,70}, {74,90}, {46,99}, {14,90},
    {20,6}, {44,1}, {70,8}, {74,24}, {60,40}, {46,46,kCorner}, {68,54}, {76,74}, {62,93}, {36,99}, {12,94},
    {24,18}, {40,3}, {62,2}, {80,16}, {68,36}, {34,50,kCorner}, {62,50}, {88,66}, {82,90}, {50,98}, {18,84},
    {22,16}, {40,4}, {60,2}, {70,14}, {58,32}, {38,46,kCorner}, {60,52}, {70,68}, {58,86}, {34,97}, {4,99},
};
inline constexpr StrokePoint kThreeLoop[] = {
    {18,12}, {42,1}, {68,8}, {72,28}, {54,44}, {36,50}, {38,41}, {58,46}, {80,62}, {78,86}, {50,99}, {16,90},
    {22,8}, {48,2}, {70,12}, {68,32}, {50,47}, {32,48}, {40,40}, {60,50}, {76,68}, {70,90}, {44,98}, {12,88},
};
inline constexpr StrokePoint kThreeFlat[] = {
    {18,4}, {48,3}, {78,2,kCorner}, {60,22}, {42,40,kCorner}, {68,46}, {82,68}, {72,90}, {44,99}, {14,92},
};
inline constexpr StrokePoint kFourOpen[] = {
    {20,4}, {16,30}, {18,54}, {46,58}, {84,52,kLift}, {74,0}, {70,34}, {68,68}, {66,100},
    {28,8}, {20,32}, {14,52}, {44,56}, {88,50,kLift}, {66,12}, {64,42}, {60,70}, {58,100},
    {14,2}, {16,28}, {24,46}, {50,50}, {80,42,kLift}, {82,4}, {78,36}, {74,68}, {74,100},
    {30,0}, {22,26}, {16,48}, {40,54}, {70,46,kLift}, {70,8}, {66,38}, {60,70}, {54,100},
};
inline constexpr StrokePoint kFourClosed[] = {
    {64,2}, {42,28}, {14,62,kCorner}, {50,63}, {92,60,kLift}, {65,2}, {66,36}, {65,68}, {64,100},
    {58,0}, {36,26}, {10,54,kCorner}, {48,58}, {86,60,kLift}, {60,4}, {60,36}, {58,70}, {56,100},
};
inline constexpr StrokePoint kFourSingle[] = {
    {20,6}, {16,34}, {24,52}, {48,54}, {70,40}, {77,5,kCorner}, {73,50}, {69,100},
    {26,10}, {14,38}, {26,50}, {50,48}, {72,34}, {80,12,kCorner}, {74,54}, {66,100},
};
inline constexpr StrokePoint kFiveTwoStrokes[] = {
    {31,7}, {28,25}, {24,44,kCorner}, {47,38}, {72,48}, {80,70},
      {66,92}, {40,99}, {14,90,kLift}, {31,6}, {55,5}, {84,2},
    {26,10}, {26,30}, {26,50,kCorner}, {46,44}, {66,54}, {72,74},
      {58,94}, {34,98}, {12,94,kLift}, {27,10}, {52,8}, {86,8},
};
inline constexpr StrokePoint kFiveOneStroke[] = {
    {82,3}, {56,5}, {32,8,kCorner}, {28,26}, {24,46,kCorner}, {48,40},
      {72,52}, {78,74}, {60,94}, {36,98}, {14,88},
    {88,2}, {64,4}, {42,6,kCorner}, {34,24}, {26,42,kCorner}, {50,42},
      {68,56}, {68,78}, {50,95}, {28,99}, {8,92},
    {96,0}, {70,3}, {44,8,kCorner}, {38,24}, {32,40,kCorner}, {50,40},
      {60,54}, {56,74}, {42,90}, {24,97}, {4,92},
};
inline constexpr StrokePoint kFiveSmooth[] = {
    {84,3}, {54,4}, {33,14}, {28,34}, {48,46}, {70,60}, {72,82}, {48,98}, {14,91},
    {90,4}, {64,2}, {44,14}, {36,36}, {52,48}, {68,62}, {64,86}, {38,99}, {8,94},
};
inline constexpr StrokePoint kSix[] = {
    {66,2}, {42,18}, {22,44}, {14,70}, {24,94}, {50,98}, {72,84}, {70,62}, {48,52}, {26,62}, {18,76},
    {58,0}, {38,24}, {24,50}, {18,76}, {32,97}, {56,96}, {74,78}, {66,60}, {46,58}, {28,70}, {23,84},
    {80,8}, {56,2}, {30,24}, {14,58}, {22,90}, {50,99}, {76,86}, {78,62}, {56,50}, {32,60}, {16,76},
    {40,0}, {26,22}, {16,48}, {14,76}, {32,97}, {60,97}, {84,82}, {80,60}, {58,52}, {34,64}, {18,82},
    {60,0}, {44,20}, {30,44}, {22,70}, {28,92}, {48,99}, {66,88}, {64,72}, {48,66}, {34,76}, {26,88},
};
inline constexpr StrokePoint kSeven[] = {
    {14,10}, {44,8}, {80,5,kCorner}, {62,36}, {48,68}, {42,100},
    {12,16}, {42,3}, {78,8,kCorner}, {68,38}, {58,68}, {52,100},
    {20,4}, {48,8}, {84,2,kCorner}, {58,34}, {38,66}, {24,100},
    {10,8}, {40,12}, {80,10,kCorner}, {72,36}, {56,66}, {30,100},
};
inline constexpr StrokePoint kSevenSerif[] = {
    {16,26}, {18,8,kCorner}, {48,9}, {82,6,kCorner}, {64,40}, {50,70}, {44,100},
    {10,22}, {14,6,kCorner}, {46,4}, {80,8,kCorner}, {68,40}, {60,70}, {56,100},
};
inline constexpr StrokePoint kSevenBar[] = {
    {14,10}, {44,7}, {80,5,kCorner}, {62,36}, {48,68}, {40,100,kLift}, {30,52}, {54,50}, {80,47},
    {18,6}, {48,6}, {82,4,kCorner}, {66,38}, {56,68}, {50,100,kLift}, {38,54}, {60,54}, {84,54},
};
inline constexpr StrokePoint kSevenRound[] = {
    {12,20}, {28,6}, {56,3}, {76,14}, {72,38}, {58,68}, {50,100},
    {16,28}, {24,8}, {52,6}, {80,8}, {76,36}, {66,68}, {60,100},
};
inline constexpr StrokePoint kEightS[] = {
    {74,14}, {50,2}, {27,14}, {30,36}, {52,50}, {74,68}, {72,90},
      {48,99}, {24,88}, {26,66}, {50,48}, {72,32}, {76,12},
    {80,20}, {58,3}, {34,10}, {28,32}, {48,48}, {66,66}, {64,88},
      {42,98}, {20,90}, {22,68}, {46,48}, {66,30}, {70,4},
    {70,8}, {46,1}, {22,16}, {28,40}, {54,54}, {80,70}, {78,90},
      {50,99}, {26,86}, {34,66}, {56,48}, {74,30}, {70,10},
    {78,6}, {60,2}, {40,12}, {38,30}, {50,44}, {62,62}, {58,86},
      {40,98}, {24,90}, {28,70}, {46,50}, {70,30}, {90,6},
};
inline constexpr StrokePoint kEightCircles[] = {
    {50,48}, {28,34}, {30,10}, {54,2}, {74,14}, {70,36}, {50,48},
      {26,64}, {22,88}, {48,99}, {76,88}, {74,62}, {48,47},
    {52,44}, {32,30}, {36,8}, {58,2}, {76,12}, {72,32}, {50,46},
      {22,62}, {16,86}, {42,99}, {72,90}, {76,64}, {54,45},
};
inline constexpr StrokePoint kNineStraight[] = {
    {74,14}, {52,4}, {26,16}, {22,38}, {42,50}, {66,38}, {76,11,kCorner}, {74,44}, {70,72}, {66,100},
    {72,10}, {48,2}, {24,12}, {16,34}, {34,48}, {60,42}, {74,14,kCorner}, {68,44}, {60,72}, {50,100},
    {80,20}, {62,4}, {36,10}, {22,32}, {36,50}, {62,44}, {80,18,kCorner}, {80,46}, {78,74}, {76,100},
    {66,10}, {48,2}, {32,10}, {26,26}, {38,38}, {58,28}, {70,6,kCorner}, {62,40}, {52,70}, {42,100},
};
inline constexpr StrokePoint kNineCurved[] = {
    {76,16}, {52,3}, {26,14}, {20,38}, {40,52}, {66,42}, {78,14,kCorner}, {78,50}, {70,80}, {48,98}, {20,92},
    {70,12}, {46,4}, {24,18}, {22,42}, {44,50}, {66,38}, {74,12,kCorner}, {72,46}, {68,76}, {54,97}, {32,96},
};
inline constexpr StrokePoint kNineFlowing[] = {
    {60,40}, {36,50}, {20,38}, {28,14}, {54,2}, {74,14}, {76,42}, {68,70}, {58,100},
    {66,36}, {42,48}, {22,36}, {32,10}, {60,3}, {78,20}, {74,48}, {62,74}, {46,98},
};
// clang-format on

template <int points, std::size_t N>
constexpr StrokeFamily stroke_family(int label, int weight, const StrokePoint (&table)[N]) {
  static_assert(points <= kMaxStrokePoints && N % points == 0);
  return {label, weight, points, static_cast<int>(N) / points, table};
}

inline constexpr StrokeFamily kStrokeFamilies[] = {
    stroke_family<11>(0, 100, kZero),          stroke_family<4>(1, 84, kOnePlain),
    stroke_family<5>(1, 9, kOneSerif),         stroke_family<8>(1, 7, kOneBase),
    stroke_family<10>(2, 62, kTwoAngular),     stroke_family<13>(2, 38, kTwoLoop),
    stroke_family<11>(3, 64, kThree),          stroke_family<12>(3, 24, kThreeLoop),
    stroke_family<10>(3, 12, kThreeFlat),      stroke_family<9>(4, 62, kFourOpen),
    stroke_family<9>(4, 20, kFourClosed),      stroke_family<8>(4, 18, kFourSingle),
    stroke_family<12>(5, 40, kFiveTwoStrokes), stroke_family<11>(5, 35, kFiveOneStroke),
    stroke_family<9>(5, 25, kFiveSmooth),      stroke_family<11>(6, 100, kSix),
    stroke_family<6>(7, 45, kSeven),           stroke_family<7>(7, 15, kSevenSerif),
    stroke_family<9>(7, 15, kSevenBar),        stroke_family<7>(7, 25, kSevenRound),
    stroke_family<13>(8, 75, kEightS),         stroke_family<13>(8, 25, kEightCircles),
    stroke_family<10>(9, 45, kNineStraight),   stroke_family<11>(9, 25, kNineCurved),
    stroke_family<9>(9, 30, kNineFlowing),
};

// Checks that the weights of each label add up to 100 and that all prototypes of a family have the same
// corners and lifts.
constexpr bool stroke_families_are_sound() {
  int weights[10] = {};
  for (const StrokeFamily& family : kStrokeFamilies) {
    weights[family.label] += family.weight;
    for (int i = family.points; i < family.points * family.prototypes; ++i)
      if (family.table[i].join != family.table[i % family.points].join) return false;
  }
  for (const int weight : weights)
    if (weight != 100) return false;
  return true;
}
static_assert(stroke_families_are_sound());

}  // namespace gpuvae::data
