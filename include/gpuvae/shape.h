// The shape of a tensor with up to four axes.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "gpuvae/language.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// The extents of a tensor along its axes. Shape is a value type, and threads may share a const Shape.
class Shape {
 public:
  static constexpr int kMaxRank = 4;  // the largest number of axes

  Shape() = default;  // rank 0: one element
  // Throws Error for more than four extents, for a negative extent, and if their product overflows.
  Shape(std::initializer_list<std::int64_t> extents);
  // See the constructor above.
  explicit Shape(std::span<const std::int64_t> extents);

  // The number of axes.
  [[nodiscard]] int rank() const { return rank_; }
  // The extent of an axis; -1 is the last axis. Throws Error if there is no such axis.
  [[nodiscard]] std::int64_t operator[](int axis) const;
  [[nodiscard]] std::int64_t elements() const;  // product of all extents; 1 for rank 0
  [[nodiscard]] std::int64_t rows() const;      // product of all extents but the last; 1 for rank 0 and 1
  [[nodiscard]] std::int64_t columns() const;   // the last extent; 1 for rank 0
  // All extents. The span is valid as long as the shape exists.
  [[nodiscard]] std::span<const std::int64_t> extents() const {
    return {extents_.data(), static_cast<std::size_t>(rank_)};
  }
  [[nodiscard]] std::string text() const;  // the shape as text: "[100, 784]"

  bool operator==(const Shape&) const = default;  // equal rank and extents

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace gpuvae
#pragma GCC visibility pop
