#include "gpuvae/shape.h"

#include <fmt/ranges.h>

#include <limits>

#include "kernels/check.h"

namespace gpuvae {

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  check(extents.size() <= kMaxRank, "shape", "expected at most {} dimensions, got {}", kMaxRank,
        extents.size());
  std::int64_t product = 1;
  for (int i = 0; i < rank_; ++i) {
    check(extents[i] >= 0, "shape", "expected extents of 0 or more, got {}", extents[i]);
    check(!__builtin_mul_overflow(product, extents[i], &product), "shape",
          "expected fewer than 2^63 elements, got shape [{}]", fmt::join(extents, ", "));
    extents_[i] = extents[i];
  }
}

std::int64_t Shape::operator[](int axis) const {
  const int i = axis < 0 ? axis + rank_ : axis;
  check(i >= 0 && i < rank_, "shape", "expected an axis of shape {}, got axis {}", *this, axis);
  return extents_[i];
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (std::int64_t e : extents()) product *= e;
  return product;
}
std::int64_t Shape::rows() const {
  std::int64_t product = 1;
  for (int i = 0; i + 1 < rank_; ++i) product *= extents_[i];
  return product;
}
std::int64_t Shape::columns() const { return rank_ == 0 ? 1 : extents_[rank_ - 1]; }

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(extents(), ", ")); }

}  // namespace gpuvae
